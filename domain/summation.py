"""The work itself, as a worker runs it: raw bytes in, one outcome per record out. Pure, so it can always run again."""

from collections.abc import Sequence
from itertools import islice
from sys import maxsize

from pydantic import ValidationError
from pydantic_core import from_json

from domain.answer import encode_complete, encode_failed, now, timestamp
from domain.batch import Code, Detail, Envelope, Limits, Outcomes, Rejection, Request, Summed, faults
from domain.direct import direct_sums

try:
    from domain.quick import PAYS_FROM_BYTES, quick_sums
except ImportError:  # the extra `fast` is not installed
    PAYS_FROM_BYTES = maxsize

# The validators themselves: the methods around them (`model_validate_json`) take a sixth of a small batch's time.
_validate_request = Request.__pydantic_validator__.validate_json
_validate_envelope = Envelope.__pydantic_validator__.validate_json
# Their parser makes a cache for itself at its first document. Here, no bound of a worker's memory is in its way yet.
_validate_envelope(b'{"batchid": "first"}')


def process_chunk(values: Sequence[bytes | None], limits: Limits) -> Outcomes:
    """One outcome per record value, in their order; none depends on the values around it.

    Raises:
        MemoryError: One of the batches is too big for this worker; which one, only running each alone can tell.
    """
    outcomes = Outcomes([], [], {})
    started_at = now()
    for value in values:
        try:
            batchid, sums, integers = _evaluate(value)
        except ValidationError as error:
            outcomes.add(_explain(value, error, started_at, limits))
            started_at = now()
        else:
            completed_at = now()
            answer = encode_complete(batchid, sums, started_at, completed_at)
            if len(answer) <= limits.result_bytes_max:
                outcomes.batchids.append(batchid)
                outcomes.answers.append(answer)
                outcomes.integers += integers
            else:
                outcomes.add(_too_large(value, len(answer), started_at, limits))
            started_at = completed_at  # a batch begins where the one before it ends; looking again would take as long
    return outcomes


def reject(value: bytes | None, code: Code, message: str, started_at_ns: int) -> Rejection:
    """The rejection of a record that could not be processed elsewhere, with a failed answer if its batchid can be read.

    It parses *value*, so it belongs in a worker. The batch was begun at *started_at_ns*, since the epoch.
    """
    return _rejection(value, code, message, timestamp(started_at_ns))


def _rejection(
    value: bytes | None, code: Code, message: str, started_at: str, details: Sequence[Detail] = ()
) -> Rejection:
    batchid = _readable_batchid(value)
    answer = None if batchid is None else encode_failed(batchid, code, message, details, started_at)
    return Rejection(code, message, tuple(details), batchid, answer)


def _evaluate(value: bytes | None) -> Summed:
    """What there is to answer.

    Raises:
        ValidationError: The value is not a `Request`.
    """
    value = value or b""
    answer = direct_sums(value) if len(value) < PAYS_FROM_BYTES else quick_sums(value)
    return _by_models(value) if answer is None else answer


def _by_models(value: bytes) -> Summed:
    request: Request = _validate_request(value)
    return request.batchid, [sum(integers) for integers in request.payload], sum(map(len, request.payload))


def _explain(value: bytes | None, error: ValidationError, started_at: str, limits: Limits) -> Rejection:
    """What to tell whoever sent *value*, at a cost that follows its size and not the number of its faults."""
    if value is None:
        return _rejection(value, Code.EMPTY_RECORD, "the record has no value", started_at)
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return _rejection(value, Code.INVALID_JSON, first["msg"], started_at)
    found = [*islice(faults(from_json(value)), limits.details_max + 1)]
    details = found[: limits.details_max]
    count = f"more than {len(details)}" if len(found) > len(details) else str(len(found))
    message = f"the request has {count} {'fault' if count == '1' else 'faults'}"
    return _rejection(value, Code.INVALID_REQUEST, message, started_at, details)


def _too_large(value: bytes | None, answer_bytes: int, started_at: str, limits: Limits) -> Rejection:
    message = f"the answer has {answer_bytes} bytes, at most {limits.result_bytes_max} are allowed"
    return _rejection(value, Code.RESULT_TOO_LARGE, message, started_at)


def _readable_batchid(value: bytes | None) -> str | None:
    try:
        envelope: Envelope = _validate_envelope(value or b"")
    except ValidationError:
        return None
    return envelope.batchid
