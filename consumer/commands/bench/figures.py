"""What a measurement has found, and what follows from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A rate that close to the best is as good: measurements differ by as much from one time to the next.
AS_GOOD = 0.95
LOAD_SHARE = 0.5
ROOM_TO_GROW = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """What a batch is like: so many lists of so many integers."""

    lists: int
    integers: int

    @property
    def total(self) -> int:
        """The integers of one batch."""
        return self.lists * self.integers


@dataclass(frozen=True, slots=True)
class Rate:
    """What one instance does with so many workers, saturated; `cores` is what it kept busy, its parent included."""

    workers: int
    batches_per_s: float
    cores: float | None

    @property
    def batches_per_core_s(self) -> float | None:
        """What one core does in a second; None where nobody tells what was used."""
        return self.batches_per_s / self.cores if self.cores else None


@dataclass(frozen=True, slots=True)
class Latency:
    """From when a request was due until its answer was in its caller's hands, at a steady rate."""

    batches_per_s: float
    answers: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, latencies_s: Sequence[float], batches_per_s: float) -> "Latency":
        """Of each answer's."""
        ordered = sorted(1_000 * latency for latency in latencies_s)

        def share(part: float) -> float:
            return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

        return cls(batches_per_s, len(ordered), p50_ms=share(0.5), p99_ms=share(0.99), max_ms=ordered[-1])


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Settings, instances and partitions for a rate, at half of what they could bear."""

    batches_per_s: float
    workers: int
    instances: int
    partitions: int


def best(rates: Sequence[Rate]) -> Rate:
    """The rate with the fewest workers that is as good as the highest."""
    highest = max(rate.batches_per_s for rate in rates)
    return min((rate for rate in rates if rate.batches_per_s >= AS_GOOD * highest), key=lambda rate: rate.workers)


def suggest(rate: Rate, lane_chunks_max: int, target: float | None) -> Suggestion:
    """What to run for *target* batches a second; without one, for what one instance does at its ease."""
    ease = LOAD_SHARE * rate.batches_per_s
    wanted = ease if target is None else target
    instances = max(1, math.ceil(wanted / ease))
    lanes = max(1, math.ceil(rate.workers / lane_chunks_max))  # that keep an instance's workers busy
    return Suggestion(wanted, rate.workers, instances, partitions=ROOM_TO_GROW * instances * lanes)
