"""A page of the ledger: one request partition, a place for each offset, in forty bytes a record."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

ROOM_MIN = 1024
BYTES_PER_RECORD = 40  # of the columns below, with some to spare

Kind = Literal["answer", "dead letter"]
KINDS: tuple[Kind, ...] = ("answer", "dead letter")
Numbers: TypeAlias = "array[int]"


def _digests() -> Numbers:
    return array("Q")


def _bits() -> Numbers:
    return array("H")


@dataclass(slots=True)
class Page:
    """By place: what was asked (0: nothing), what is expected, what was found, and how often.

    The page begins at the offset `first`. Outcomes are due below `due`, or everywhere if that is None: what is behind
    may be in flight. Below `kept_from` of their kind, outcomes may have been there and be gone by retention, and below
    `asked_from` requests; there are none from `asked_to` on.
    """

    first: int = 0
    asked: Numbers = field(default_factory=_digests)
    expected: Numbers = field(default_factory=_digests)  # the answer, if it is complete; 0: unknown
    answered: Numbers = field(default_factory=_digests)
    buried: Numbers = field(default_factory=_digests)
    allowed: Numbers = field(default_factory=_bits)
    found: Numbers = field(default_factory=_bits)
    results: bytearray = field(default_factory=bytearray)
    replies: bytearray = field(default_factory=bytearray)
    letters: bytearray = field(default_factory=bytearray)
    # In which partition the outcomes of a kind stand, and in which they stand since it has more; for which offset the
    # first of them is, and for which the highest in each partition that they stand in.
    partitions: dict[Kind, int] = field(default_factory=dict)
    homes: dict[Kind, int] = field(default_factory=dict)
    heard_first: dict[Kind, int] = field(default_factory=dict)
    heard_highest: dict[tuple[Kind, int], int] = field(default_factory=dict)
    kept_from: dict[Kind, int] = field(default_factory=dict)
    asked_from: int = 0
    asked_to: int | None = None
    due: int | None = None
    end: int = 0
    done: int = 0
    committed: int = 0

    def reach(self, offset: int) -> int:
        """The place of *offset*, which the page has room for now."""
        place = offset - self.first
        if (missing := place + 1 - len(self.asked)) > 0:
            self.grow(max(missing, len(self.asked), ROOM_MIN))
        return place

    def grow(self, records: int) -> None:
        """Make room for so many more."""
        for column in (self.asked, self.expected, self.answered, self.buried, self.allowed, self.found):
            column.frombytes(bytes(records * column.itemsize))
        for times in (self.results, self.replies, self.letters):
            times.extend(bytes(records))

    def has_outcome(self, place: int) -> bool:
        """Whether there is a result or a dead letter; a failed answer alone is none."""
        return bool(self.results[place] or self.letters[place])

    def is_due(self, place: int) -> bool:
        """Whether it is late for an outcome that is not there."""
        return self.due is None or self.first + place < self.due

    def is_kept(self, kind: Kind, place: int) -> bool:
        """Whether an outcome of this kind would still be there, if there ever was one."""
        return self.first + place >= self.kept_from.get(kind, 0)

    def done_before(self, offset: int) -> bool:
        """Whether every request below *offset* has its outcome."""
        place = offset - self.first
        while self.done < place and (not self.asked[self.done] or self.has_outcome(self.done)):
            self.done += 1
        return self.done >= place

    def requests(self) -> Iterator[int]:
        """The places at which there is a request."""
        return (place for place, asked in enumerate(self.asked[: max(0, self.end - self.first)]) if asked)
