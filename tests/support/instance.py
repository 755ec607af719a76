"""An instance as the HTTP port sees it, which fares as the test wants."""

import asyncio
from dataclasses import dataclass

from consumer.board import WorkerState
from consumer.health import Checks
from consumer.recent import NOTHING, Recent
from consumer.snapshot import Snapshot, lane_state, workers_at
from consumer.why import Why
from domain.batch import Limits, Outcome
from domain.summation import process_chunk
from tests.support.records import chunk_of


class FakeHealth:
    """Healthy, until told otherwise."""

    def __init__(self) -> None:
        self.alive: dict[str, str | None] = {"event_loop": None, "background": None}
        self.ready: dict[str, str | None] = {"group": None, "lanes": None, "pool": None, "outage": None}

    def liveness(self) -> Checks:
        return self.alive

    def readiness(self) -> Checks:
        return self.ready


@dataclass
class StandingPartition:
    """A partition that stands where it is put."""

    partition: int = 3
    next_offset: int = 40
    done_offset: int = 10
    committed_offset: int | None = 5
    lag: int = 90
    stuck_s: float = 12.0


def snapshot() -> Snapshot:
    """Of an instance with one lane, and a worker that has been at its chunk for 7 seconds."""
    chunk = chunk_of([b"secret"] * 10, partition=3, first_offset=10)
    workers = [WorkerState(41, chunk.place, 7.0), WorkerState(42, None, 0.0)]
    return Snapshot(
        lanes=[lane_state(StandingPartition(), [chunk], workers)],
        workers=list(workers_at(workers, [])),
        in_flight_chunks=1,
        in_flight_chunks_max=4,
        in_flight_bytes=60,
        in_flight_bytes_max=4_000,
        rebuilds=0,
        convictions=0,
        batches=0,
        rejections=0,
        second=0,
        last_second=NOTHING,
        results=[],
        dead_letters=[],
    )


class FakeInstance:
    """One that carries nothing."""

    def __init__(self) -> None:
        self.health = FakeHealth()
        self.recent = Recent()
        self.processing = 0
        self.processed: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def snapshot(self) -> Snapshot:
        return snapshot()

    async def process_batch(self, value: bytes) -> Outcome:
        self.processing += 1
        self.processed.append(value)
        await self.may_answer.wait()
        (outcome,) = process_chunk([value], Limits())
        return outcome

    async def why(self) -> Why:
        return Why.of(snapshot(), {})
