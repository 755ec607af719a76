"""The contract: what a request is, what is answered, and why a batch is rejected."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, overload

from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, Field, StringConstraints

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

    batchid: BatchId = Field(description="The name that the answer goes by; it need not be unique.")


class Request(Envelope):
    """One batch to be summed, list by list. Unknown members are ignored; of duplicate members the last one counts."""

    payload: Annotated[list[Integers], FailFast()] = Field(
        description=(
            "Lists of integers, of any length, also none; an empty list sums to 0. An integer is written as one, with up to 4,300 digits: "
            "`1.0` and `1e3`, which JSON Schema takes for integers, are refused, and so are `true`, `null` and strings."
        )
    )


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

    batchid: BatchId = Field(description="That of the request.")
    response: list[int] | None = Field(
        description="The sum of each list, in order, exact however large; null if there are none."
    )
    status: Literal["complete", "failed"] = Field(description="Whether there are sums, or an error.")
    started_at: AwareDatetime = Field(description="When a worker began the batch: UTC, to the microsecond.")
    completed_at: AwareDatetime = Field(description="When it was done with it.")
    error: Error | None = Field(default=None, description="Only where the status is `failed`.")


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


class Outcomes(Sequence[Outcome]):
    """The outcomes of a chunk's records, in the records' order, column by column.

    Columns, because this is what crosses from a worker to the service: as so many small objects, the outcomes of small
    batches would take a third as long to pickle as the batches took to be summed. `answers` has None where there is
    nobody to answer; `rejections` has the place of each batch that was rejected. `integers` is how many were summed.
    """

    __slots__ = ("answers", "batchids", "integers", "rejections")

    def __init__(
        self,
        batchids: list[str | None],
        answers: list[bytes | None],
        rejections: dict[int, Rejection],
        integers: int = 0,
    ) -> None:
        self.batchids = batchids
        self.answers = answers
        self.rejections = rejections
        self.integers = integers

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Outcomes":
        """*outcomes*, as columns."""
        columns = cls([], [], {})
        for outcome in outcomes:
            columns.add(outcome)
        return columns

    def add(self, outcome: Outcome) -> None:
        """Put *outcome* behind the others."""
        if isinstance(outcome, Rejection):
            self.rejections[len(self.answers)] = outcome
        self.batchids.append(outcome.batchid)
        self.answers.append(outcome.answer)

    def reject(self, place: int, rejection: Rejection) -> None:
        """Put *rejection* in the place of the outcome that was there."""
        self.batchids[place], self.answers[place] = rejection.batchid, rejection.answer
        self.rejections[place] = rejection

    @overload
    def __getitem__(self, place: int) -> Outcome: ...
    @overload
    def __getitem__(self, place: slice) -> "Outcomes": ...
    def __getitem__(self, place: int | slice) -> "Outcome | Outcomes":
        if isinstance(place, slice):
            return self.of([self[each] for each in range(*place.indices(len(self)))])
        position = range(len(self))[place]
        batchid, answer = self.batchids[position], self.answers[position]
        if batchid is None or answer is None or position in self.rejections:
            return self.rejections[position]
        return Result(batchid, answer)

    def __len__(self) -> int:
        return len(self.answers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # they can change

    def __reduce__(self) -> tuple[type["Outcomes"], tuple[object, ...]]:
        return Outcomes, (self.batchids, self.answers, self.rejections, self.integers)


# A batch that was summed: its batchid, the sum of each list, and how many integers there were.
Summed = tuple[str, list[int], int]


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
