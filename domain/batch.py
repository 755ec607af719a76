"""The contract: what a request is, what is answered, and why a batch is rejected."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from typing import Annotated, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, StringConstraints

BATCHID_CHARACTERS_MAX = 256

BatchId = Annotated[str, StringConstraints(min_length=1, max_length=BATCHID_CHARACTERS_MAX)]

# A model stops at the first fault of a list, or a record full of faults would cost three hundred times a good one of
# its size; `faults` finds the others, as many as are wanted.
Integers = Annotated[list[int], FailFast()]


class Code(StrEnum):
    """Why a batch was rejected."""

    EMPTY_RECORD = "empty_record"  # a record with a null value: there is nothing to answer
    INVALID_JSON = "invalid_json"  # not one JSON document in UTF-8, or with an integer of more than 4,300 digits
    INVALID_REQUEST = "invalid_request"  # JSON that is not a `Request`
    RESULT_TOO_LARGE = "result_too_large"  # an answer above `Limits.result_bytes_max`
    WORKER_CRASHED = "worker_crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


class Envelope(BaseModel):
    """What every request carries, whatever its payload is: the name that its answer goes by."""

    model_config = ConfigDict(strict=True, frozen=True)

    batchid: BatchId


class Request(Envelope):
    """One batch to be summed, list by list. Unknown members are ignored; of duplicate members the last one counts."""

    payload: Annotated[list[Integers], FailFast()]


class Detail(NamedTuple):
    """One fault of a request, and where it is.

    The path `payload.0.1` leads to the second integer of the first list, the empty path to the document as a whole.
    """

    path: str
    message: str


class ErrorDetail(BaseModel):
    """A `Detail` as it stands in an answer."""

    path: str
    message: str


class Error(BaseModel):
    """Why there are no sums. Neither the message nor the details ever quote the request."""

    code: Code
    message: str
    details: list[ErrorDetail]


class Response(BaseModel):
    """The answer to one request: its sums, list by list, or the error for which there are none."""

    model_config = ConfigDict(strict=True, frozen=True)

    batchid: BatchId
    response: list[int] | None
    status: Literal["complete", "failed"]
    started_at: AwareDatetime
    completed_at: AwareDatetime
    error: Error | None = None


class Result(NamedTuple):
    """A batch that was processed: *answer* is its encoded `Response`."""

    batchid: str
    answer: bytes


class Rejection(NamedTuple):
    """A batch that could not be processed. Without a readable batchid there is nobody to answer.

    Of a batch that was run alone: after how many attempts it was given up, how its worker ended (the signal's name, or
    the exit code) and how long the last attempt took.
    """

    code: Code
    message: str
    details: tuple[Detail, ...]
    batchid: str | None
    answer: bytes | None
    attempts: int = 1
    exit: str | None = None
    elapsed_ms: int | None = None


Outcome = Result | Rejection


class Outcomes(list[Outcome]):
    """The outcomes of a chunk's records, in the records' order.

    It is a list that crosses from a worker to the service as columns: as so many small objects, the outcomes of small
    batches would take a third as long to pickle as the batches took to be summed.
    """

    def __reduce__(self) -> tuple[Callable[..., "Outcomes"], tuple[object, ...]]:
        batchids = [outcome.batchid for outcome in self]
        answers = [outcome.answer for outcome in self]
        rejections = {place: outcome for place, outcome in enumerate(self) if isinstance(outcome, Rejection)}
        return _outcomes_of_columns, (batchids, answers, rejections)


class Limits(NamedTuple):
    """How much one batch may give back."""

    result_bytes_max: int = 1_000_000
    details_max: int = 20


def faults(request: object) -> Iterator[Detail]:
    """What keeps a parsed JSON document from being a `Request`, in reading order, each found when it is asked for."""
    if not isinstance(request, dict):
        yield Detail("", "must be an object")
        return
    match request.get("batchid"):
        case str(batchid) if 1 <= len(batchid) <= BATCHID_CHARACTERS_MAX:
            pass
        case _:
            yield Detail("batchid", f"must be a string of 1 to {BATCHID_CHARACTERS_MAX} characters")
    match request.get("payload"):
        case list(payload):
            yield from _payload_faults(payload)
        case _:
            yield Detail("payload", "must be a list of lists of integers")


def _payload_faults(payload: list[object]) -> Iterator[Detail]:
    for position, integers in enumerate(payload):
        if not isinstance(integers, list):
            yield Detail(f"payload.{position}", "must be a list of integers")
            continue
        for index, integer in enumerate(integers):
            if type(integer) is not int:  # a boolean is an instance of int
                yield Detail(f"payload.{position}.{index}", "must be an integer")


def _outcomes_of_columns(
    batchids: list[str | None], answers: list[bytes | None], rejections: dict[int, Rejection]
) -> Outcomes:
    # The constructor of a named tuple is Python code, while the event loop waits; that of a tuple is not.
    outcomes = Outcomes(map(partial(tuple.__new__, Result), zip(batchids, answers, strict=True)))
    for place, rejection in rejections.items():
        outcomes[place] = rejection
    return outcomes
