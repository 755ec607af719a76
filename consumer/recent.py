"""What an instance has done lately: second by second, and the last of its results and dead letters.

Kept chunk by chunk and bounded, whatever the load: it is for people to look at, and counts nothing that is promised.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from consumer.chunk import Chunk, Processed

SECONDS_KEPT = 300
ENTRIES_KEPT = 20


class Second(NamedTuple):
    """One second: batches and rejections that became durable, and the chunks' times from fetch to then."""

    batches: int
    rejections: int
    p50_ms: float | None
    p99_ms: float | None


class Entry(NamedTuple):
    """What became durable of a chunk, where its requests stand, and when (seconds since the epoch)."""

    what: str
    where: str
    at: float


class Done(NamedTuple):
    """The last chunk of a partition that is done: when its first record was made, and when it was done (of the monotonic clock)."""

    timestamp_ms: int
    at: float


class Recent:
    """Remembers the last five minutes, and how far each partition has come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first = self._second = int(clock())
        self._batches = self._rejections = 0
        self._chunk_ms: list[float] = []
        self._seconds = deque[Second](maxlen=SECONDS_KEPT)
        self.results = deque[Entry](maxlen=ENTRIES_KEPT)
        self.dead_letters = deque[Entry](maxlen=ENTRIES_KEPT)
        self.done: dict[int, Done] = {}

    def delivered(self, chunk: Chunk, processed: Processed) -> None:
        """Remember *chunk*, whose outcomes are durable now."""
        now, at = self._clock(), time.time()
        rejections = processed.rejections
        self._turn_to(int(now))
        self.done[chunk.partition] = Done(chunk.timestamp, now)
        self._batches += processed.records
        self._rejections += len(rejections)
        self._chunk_ms.append((now - chunk.fetched_at) * 1_000)
        if answered := processed.records - len(rejections):
            where = f"{chunk.topic}/{chunk.partition}/{chunk.first_offset}"
            self.results.appendleft(Entry(f"{answered} {'batch' if answered == 1 else 'batches'}", where, at))
        for offset in sorted(rejections)[-ENTRIES_KEPT:]:
            where = f"{chunk.topic}/{chunk.partition}/{offset}"
            self.dead_letters.appendleft(Entry(rejections[offset].code, where, at))

    def seconds(self) -> list[Second]:
        """The last five minutes, oldest first, without the second that is under way."""
        self._turn_to(int(self._clock()))
        return list(self._seconds)

    def seconds_over(self) -> int:
        """How many seconds are over, also those that are not kept any more."""
        self._turn_to(int(self._clock()))
        return self._second - self._first

    def last_second(self) -> Second:
        """The last one of them, and one in which nothing happened while there is none."""
        self._turn_to(int(self._clock()))
        return self._seconds[-1] if self._seconds else NOTHING

    def _turn_to(self, second: int) -> None:
        if second == self._second:
            return
        ordered = sorted(self._chunk_ms)
        self._seconds.append(Second(self._batches, self._rejections, _quantile(ordered, 0.5), _quantile(ordered, 0.99)))
        self._seconds.extend([NOTHING] * min(second - self._second - 1, SECONDS_KEPT))
        self._second, self._batches, self._rejections, self._chunk_ms = second, 0, 0, []


NOTHING = Second(0, 0, None, None)


def _quantile(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2) if ordered else None
