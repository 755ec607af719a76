"""What an instance is doing now, as data: coordinates, counts and times, but nothing of a payload."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from consumer.board import NOWHERE, Place, WorkerState
from consumer.chunk import Chunk

Step = Literal["queued", "computing", "waiting to publish", "publishing"]


class Partition(Protocol):
    """Where a partition stands."""

    @property
    def partition(self) -> int: ...
    @property
    def next_offset(self) -> int: ...
    @property
    def done_offset(self) -> int: ...
    @property
    def committed_offset(self) -> int | None: ...
    @property
    def lag(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkState:
    """A chunk in flight: which step of its road it is at, and for how many seconds."""

    first_offset: int
    next_offset: int
    size_bytes: int
    step: Step
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """A lane: how far its partition has come, and its chunks in flight, oldest first.

    `oldest_s` is the age of the oldest request in flight, by its timestamp; None while there is none. `committed_offset`
    is None before the first commit, and where transactions commit.
    """

    partition: int
    next_offset: int
    done_offset: int
    committed_offset: int | None
    lag: int
    oldest_s: float | None
    chunks: Sequence[ChunkState]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAt:
    """A worker, and for how many seconds it has been at what: a partition's offsets, a batch over HTTP, or nothing."""

    pid: int
    quarantined: bool
    at: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """Chunks and bytes between fetch and done, each against its bound.

    A record that is larger than a chunk may be goes alone, and can exceed the bound of bytes.
    """

    chunks: int
    chunks_max: int
    bytes: int
    bytes_max: int


def lane_state(partition: Partition, chunks: Sequence[Chunk], workers: Sequence[WorkerState]) -> LaneState:
    """The lane of *partition* with these *chunks* in flight."""
    return LaneState(
        partition=partition.partition,
        next_offset=partition.next_offset,
        done_offset=partition.done_offset,
        committed_offset=partition.committed_offset,
        lag=partition.lag,
        oldest_s=max(0.0, time.time() - chunks[0].timestamp / 1000) if chunks else None,
        chunks=[_chunk_state(chunk, workers) for chunk in chunks],
    )


def workers_at(workers: Sequence[WorkerState], quarantined: Sequence[WorkerState]) -> Iterator[WorkerAt]:
    """All workers; those in quarantine come last."""
    for states, in_quarantine in ((workers, False), (quarantined, True)):
        for pid, place, seconds in states:
            yield WorkerAt(pid=pid, quarantined=in_quarantine, at=place and _in_words(place), seconds=seconds)


def _chunk_state(chunk: Chunk, workers: Sequence[WorkerState]) -> ChunkState:
    step, since = _step(chunk, workers)
    return ChunkState(
        first_offset=chunk.first_offset,
        next_offset=chunk.next_offset,
        size_bytes=chunk.size_bytes,
        step=step,
        seconds=max(0.0, time.monotonic() - since),
    )


def _step(chunk: Chunk, workers: Sequence[WorkerState]) -> tuple[Step, float]:
    if chunk.times.publishing is not None:
        return "publishing", chunk.times.publishing
    if chunk.times.ended is not None:
        return "waiting to publish", chunk.times.ended
    for worker in workers:
        if worker.place == chunk.place:
            return "computing", time.monotonic() - worker.seconds
    return "queued", chunk.fetched_at


def _in_words(place: Place) -> str:
    return (
        "a batch over HTTP" if place == NOWHERE else f"{place.partition}/{place.first_offset}-{place.next_offset - 1}"
    )
