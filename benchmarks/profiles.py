"""The profiles: what the batches of a backlog look like. Batch *n* is the same in every run, and no two are alike."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

INTEGER_MIN, INTEGER_MAX = -9_999, 99_999
ROWS = 16_384
STRIDES = (1, 3, 5, 7)
SEED = 20_260_131


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
    """A kind of load. *backlogs* says how many batches a system is given to drain, by how quick it is."""

    name: str
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
    """Batches to drain: for systems of the service's class, for those an order of magnitude slower, and two."""

    quick: int
    middling: int
    slow: int


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
        Profile("small", lambda _: SMALL, Backlogs(1_000_000, 100_000, 15_000)),
        Profile("medium", lambda _: MEDIUM, Backlogs(200_000, 50_000, 15_000)),
        Profile("large", lambda _: LARGE, Backlogs(2_000, 2_000, 1_000)),
        Profile("mixed", _mixed, Backlogs(100_000, 40_000, 15_000)),
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
