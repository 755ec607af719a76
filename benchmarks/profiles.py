"""The profiles: what the batches of a backlog look like. Batch *n* is the same in every run, and no two are alike."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

INTEGER_MIN, INTEGER_MAX = -9_999, 99_999
ROWS = 16_384
STRIDES = (1, 3, 5, 7)
SEED = 20_260_131
ROUND_STEPS = (1, 2, 3, 5, 7)


class Shape(NamedTuple):
    """Lists per batch, and integers per list."""

    lists: int
    integers: int


class Rows(NamedTuple):
    """Rendered lists and their sums, of which batches are put together: quicker than integers, and as various."""

    rendered: Sequence[bytes]
    sums: Sequence[int]


SMALL = Shape(2, 2)
MEDIUM = Shape(100, 10)
LARGE = Shape(1_000, 100)


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of load. *backlogs* says how many batches a system is given to drain."""

    name: str
    says: str
    shape_of: Callable[[int], Shape]
    backlogs: "Backlogs"

    def batchid(self, number: int) -> str:
        """The batchid of batch *number*; `number_of` is the way back."""
        return f"{self.name}-{number:08}"

    def request(self, number: int) -> bytes:
        """The record value of batch *number*."""
        shape = self.shape_of(number)
        payload = b",".join(_rows(shape.integers).rendered[_selection(shape, number)])
        return b'{"batchid":"%s","payload":[%s]}' % (self.batchid(number).encode(), payload)

    def sums(self, number: int) -> Sequence[int]:
        """The right answer to batch *number*."""
        shape = self.shape_of(number)
        return _rows(shape.integers).sums[_selection(shape, number)]

    def integers(self, batches: int) -> int:
        """How many integers the first *batches* batches have."""
        return sum(lists * integers for lists, integers in map(self.shape_of, range(batches)))


class Backlogs(NamedTuple):
    """Batches to drain: at first, by a system's pace; and the most there are, for which the disk has room.

    The service itself drains *shown* of them at least: the backlog at which its memory is stated.
    """

    quick: int
    middling: int
    slow: int
    most: int
    shown: int

    def sized(self, batches_per_s: float, *, seconds: float) -> int:
        """How many a system of this rate drains in about *seconds*, as a round number, so that systems share topics."""
        wanted = max(1.0, min(batches_per_s * seconds, self.most))
        power: int = 10 ** int(math.log10(wanted))
        return power * max(step for step in ROUND_STEPS if step * power <= wanted)


def number_of(batchid: str) -> int:
    """The number of the batch with this *batchid*."""
    return int(batchid.rpartition("-")[2])


def _mixed(number: int) -> Shape:
    """One in a hundred is large and nine are medium, with no regular distance that could favour a partition."""
    place = _scattered(number) % 100
    return LARGE if place == 0 else MEDIUM if place < 10 else SMALL


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "small",
            "2 lists of 2 integers",
            lambda _: SMALL,
            Backlogs(200_000, 20_000, 3_000, most=2_000_000, shown=2_000_000),
        ),
        Profile("medium", "100 lists of 10", lambda _: MEDIUM, Backlogs(20_000, 10_000, 3_000, most=200_000, shown=0)),
        Profile(
            "large",
            "1,000 lists of 100, about 600 kB",
            lambda _: LARGE,
            Backlogs(500, 200, 100, most=5_000, shown=2_000),
        ),
        Profile(
            "mixed", "90 % small, 9 % medium, 1 % large", _mixed, Backlogs(20_000, 5_000, 2_000, most=100_000, shown=0)
        ),
    )
}


def _selection(shape: Shape, number: int) -> slice:
    """Which rows make up batch *number*: from a scattered start, with one of four strides."""
    stride = STRIDES[number % len(STRIDES)]
    start = _scattered(number) % (ROWS - shape.lists * stride)
    return slice(start, start + shape.lists * stride, stride)


def _scattered(number: int) -> int:
    """*number* hashed (multiplied by 2**32 over the golden ratio), so that neighbours have little in common."""
    return (number * 2_654_435_761 & 0xFFFFFFFF) >> 7


@cache
def _rows(integers: int) -> Rows:
    chance = random.Random(SEED + integers)
    values = range(INTEGER_MIN, INTEGER_MAX + 1)
    rows = [chance.choices(values, k=integers) for _ in range(ROWS)]
    return Rows([b"[%s]" % ",".join(map(str, row)).encode() for row in rows], [sum(row) for row in rows])
