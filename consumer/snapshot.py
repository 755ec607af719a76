"""What an instance is doing now, as data: coordinates, counts and times, but nothing of a payload."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from consumer.board import NOWHERE, Place, WorkerState
from consumer.chunk import Chunk
from consumer.lanes import Lanes
from consumer.pool import Pool
from consumer.recent import Done, Entry, Recent, Second
from consumer.report import Report

IDLE_S = 0.1  # a partition that has nothing to do for so long, has none of the requests left that it had before

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
    @property
    def stuck_s(self) -> float: ...


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

    `oldest_s` is the age of the oldest request that is not done, by its timestamp; None when all is done. While requests
    wait and none is fetched, nobody has seen its timestamp: it is no older then than the last chunk that was done, and for
    a partition that had been done with, or in which nothing was done yet, it is how long that has not changed.
    `committed_offset` is None before the first commit, and where transactions commit.
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
    """A worker, and for how many seconds it has been at what: a partition's offsets, a batch over HTTP, or nothing.

    `busy_s` is how long it has worked since it started.
    """

    pid: int
    quarantined: bool
    at: str | None
    seconds: float
    busy_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may be in flight in one lane. A record that is larger than a chunk goes alone, and exceeds the bytes."""

    lane_chunks_max: int
    chunk_bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An instance at one moment.

    Chunks and bytes in flight stand beside their bounds, which grow with the lanes. `last_second` is the last one that is
    over, and the number `second` since the start.
    """

    lanes: Sequence[LaneState]
    workers: Sequence[WorkerAt]
    in_flight_chunks: int
    in_flight_chunks_max: int
    in_flight_bytes: int
    in_flight_bytes_max: int
    rebuilds: int
    convictions: int
    batches: int
    rejections: int
    second: int
    last_second: Second
    results: Sequence[Entry]
    dead_letters: Sequence[Entry]


class Snapshots:
    """Takes them. It looks at what the parts of an instance know anyway, and waits for nothing."""

    def __init__(self, *, lanes: Lanes, pool: Pool, report: Report, recent: Recent, bounds: Bounds) -> None:
        self._lanes = lanes
        self._pool = pool
        self._report = report
        self._recent = recent
        self._bounds = bounds

    def take(self, partitions: Collection[Partition]) -> Snapshot:
        """The instance, which has these *partitions*, as it is now."""
        workers, quarantined = self._pool.states, self._pool.quarantine.states
        in_flight = {lane.partition: tuple(lane.in_flight) for lane in self._lanes.running}
        chunks = [chunk for lane in in_flight.values() for chunk in lane]
        chunks_max = len(in_flight) * self._bounds.lane_chunks_max
        return Snapshot(
            lanes=[
                lane_state(
                    partition,
                    in_flight.get(partition.partition, ()),
                    [*workers, *quarantined],
                    self._recent.done.get(partition.partition),
                )
                for partition in sorted(partitions, key=lambda partition: partition.partition)
            ],
            workers=list(workers_at(workers, quarantined)),
            in_flight_chunks=len(chunks),
            in_flight_chunks_max=chunks_max,
            in_flight_bytes=sum(chunk.size_bytes for chunk in chunks),
            in_flight_bytes_max=chunks_max * self._bounds.chunk_bytes_max,
            rebuilds=self._pool.rebuilds,
            convictions=self._pool.quarantine.convictions,
            batches=self._report.batches,
            rejections=self._report.rejections,
            second=self._recent.seconds_over(),
            last_second=self._recent.last_second(),
            results=list(self._recent.results),
            dead_letters=list(self._recent.dead_letters),
        )


def lane_state(
    partition: Partition, chunks: Sequence[Chunk], workers: Sequence[WorkerState], done: Done | None = None
) -> LaneState:
    """The lane of *partition* with these *chunks* in flight; *done* is its last one that is."""
    return LaneState(
        partition=partition.partition,
        next_offset=partition.next_offset,
        done_offset=partition.done_offset,
        committed_offset=partition.committed_offset,
        lag=partition.lag,
        oldest_s=_oldest_s(partition, chunks, done),
        chunks=[_chunk_state(chunk, workers) for chunk in chunks],
    )


def workers_at(workers: Sequence[WorkerState], quarantined: Sequence[WorkerState]) -> Iterator[WorkerAt]:
    """All workers; those in quarantine come last."""
    for states, in_quarantine in ((workers, False), (quarantined, True)):
        for pid, place, seconds, busy_s in states:
            yield WorkerAt(
                pid=pid,
                quarantined=in_quarantine,
                at=place and _in_words(place),
                seconds=seconds,
                busy_s=busy_s + seconds,
            )


def _oldest_s(partition: Partition, chunks: Sequence[Chunk], done: Done | None) -> float | None:
    if chunks:
        return _age_s(chunks[0].timestamp)
    if not partition.lag:
        return None
    if done is None or time.monotonic() - partition.stuck_s > done.at + IDLE_S:
        return partition.stuck_s
    return _age_s(done.timestamp_ms)


def _age_s(timestamp_ms: int) -> float:
    return max(0.0, time.time() - timestamp_ms / 1000)


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
