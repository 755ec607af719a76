"""The work itself, as a worker runs it: raw bytes in, one outcome per record out. Pure, so it can always run again."""

from collections.abc import Sequence
from itertools import islice
from time import time_ns

from pydantic import ValidationError
from pydantic_core import from_json

from domain.answer import encode_complete, encode_failed
from domain.batch import Code, Detail, Envelope, Limits, Outcome, Outcomes, Rejection, Request, Result, faults

# The validators themselves: the methods around them (`model_validate_json`) take a sixth of a small batch's time.
_validate_request = Request.__pydantic_validator__.validate_json
_validate_envelope = Envelope.__pydantic_validator__.validate_json


def process_chunk(values: Sequence[bytes | None], limits: Limits) -> Outcomes:
    """One outcome per record value, in their order; none depends on the values around it.

    Raises:
        MemoryError: One of the batches is too big for this worker; which one, only running each alone can tell.
    """
    return Outcomes.of([_process(value, limits) for value in values])


def reject(
    value: bytes | None, code: Code, message: str, started_at_ns: int, details: Sequence[Detail] = ()
) -> Rejection:
    """The rejection of a record, with a failed answer if its batchid can be read at all.

    For a batch that could not be processed elsewhere too: it parses *value*, so it belongs in a worker.
    """
    batchid = _readable_batchid(value)
    answer = None if batchid is None else encode_failed(batchid, code, message, details, started_at_ns)
    return Rejection(code, message, tuple(details), batchid, answer)


def _process(value: bytes | None, limits: Limits) -> Outcome:
    started_at_ns = time_ns()
    if value is None:
        return reject(value, Code.EMPTY_RECORD, "the record has no value", started_at_ns)
    try:
        batchid, sums = _evaluate(value)
    except ValidationError as error:
        return _explain(value, error, started_at_ns, limits)
    answer = encode_complete(batchid, sums, started_at_ns)
    if len(answer) > limits.result_bytes_max:
        message = f"the answer has {len(answer)} bytes, at most {limits.result_bytes_max} are allowed"
        return reject(value, Code.RESULT_TOO_LARGE, message, started_at_ns)
    return Result(batchid, answer)


def _evaluate(value: bytes) -> tuple[str, list[int]]:
    """The batchid, and the sum of each list.

    Raises:
        ValidationError: The value is not a `Request`.
    """
    request: Request = _validate_request(value)
    return request.batchid, [sum(integers) for integers in request.payload]


def _explain(value: bytes, error: ValidationError, started_at_ns: int, limits: Limits) -> Rejection:
    """What to tell whoever sent *value*, at a cost that follows its size and not the number of its faults."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return reject(value, Code.INVALID_JSON, first["msg"], started_at_ns)
    found = [*islice(faults(from_json(value)), limits.details_max + 1)]
    details = found[: limits.details_max]
    count = f"more than {len(details)}" if len(found) > len(details) else str(len(found))
    message = f"the request has {count} {'fault' if count == '1' else 'faults'}"
    return reject(value, Code.INVALID_REQUEST, message, started_at_ns, details)


def _readable_batchid(value: bytes | None) -> str | None:
    try:
        envelope: Envelope = _validate_envelope(value or b"")
    except ValidationError:
        return None
    return envelope.batchid
