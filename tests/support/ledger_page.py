"""A page of the ledger: one request partition, indexed by offset, in forty bytes a record."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

ROOM_MIN = 1024

Numbers: TypeAlias = "array[int]"


def _digests() -> Numbers:
    return array("Q")


def _bits() -> Numbers:
    return array("H")


@dataclass(slots=True)
class Page:
    """By offset: what was asked (0: nothing), what is expected, what was found, and how often."""

    asked: Numbers = field(default_factory=_digests)
    expected: Numbers = field(default_factory=_digests)  # the answer, if it is complete
    answered: Numbers = field(default_factory=_digests)
    buried: Numbers = field(default_factory=_digests)
    allowed: Numbers = field(default_factory=_bits)
    found: Numbers = field(default_factory=_bits)
    results: bytearray = field(default_factory=bytearray)
    replies: bytearray = field(default_factory=bytearray)
    letters: bytearray = field(default_factory=bytearray)
    # In which partition the answers and the dead letters stand, and the highest offset that one of them is for.
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    end: int = 0
    done: int = 0
    committed: int = 0

    def reach(self, offset: int) -> None:
        """Have room for *offset*."""
        if (missing := offset + 1 - len(self.asked)) > 0:
            room = max(missing, len(self.asked), ROOM_MIN)
            for column in (self.asked, self.expected, self.answered, self.buried, self.allowed, self.found):
                column.frombytes(bytes(room * column.itemsize))
            for times in (self.results, self.replies, self.letters):
                times.extend(bytes(room))

    def has_outcome(self, offset: int) -> bool:
        """Whether there is a result or a dead letter; a failed answer alone is none."""
        return bool(self.results[offset] or self.letters[offset])

    def done_before(self, offset: int) -> bool:
        """Whether every request below *offset* has its outcome."""
        while self.done < offset and (not self.asked[self.done] or self.has_outcome(self.done)):
            self.done += 1
        return self.done >= offset

    def requests(self) -> Iterator[int]:
        """The offsets at which there is a request."""
        return (offset for offset, asked in enumerate(self.asked[: self.end]) if asked)
