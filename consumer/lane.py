"""A lane: the road of one assigned partition, from its requests to its results."""

import asyncio
from typing import Protocol

from consumer.chunk import Chunk
from domain.batch import Outcomes


class Source(Protocol):
    """Where the records of one partition come from."""

    async def open(self) -> None:
        """Stand at the first record that is not done."""

    async def fetch(self) -> Chunk:
        """The next records, at least one, as soon as there are any; cancelling it loses none."""

    def mark_done(self, chunk: Chunk) -> None:
        """Every record of *chunk* has its durable outcome: its offset may be committed."""


class Work(Protocol):
    """What is done with a chunk's records."""

    async def process(self, chunk: Chunk) -> Outcomes:
        """One outcome per record, in their order."""


class Sink(Protocol):
    """Where outcomes go."""

    async def publish(self, chunk: Chunk, outcomes: Outcomes) -> None:
        """Return when every outcome is durable: a result, or a dead letter."""


class Report(Protocol):
    """Who keeps count."""

    def delivered(self, chunk: Chunk, outcomes: Outcomes) -> None:
        """*chunk* is done, with these outcomes."""


class Lane:
    """One partition's road. Chunks are processed side by side, and published one by one, in order.

    `chunks_max` bounds the chunks between fetch and done, and with them the lane's memory: a lane that has so many in
    flight does not fetch.
    """

    def __init__(self, *, source: Source, work: Work, sink: Sink, report: Report, chunks_max: int) -> None:
        self._source = source
        self._work = work
        self._sink = sink
        self._report = report
        self._room = asyncio.Semaphore(chunks_max)
        self._in_flight: asyncio.Queue[tuple[Chunk, asyncio.Task[Outcomes]] | None] = asyncio.Queue()
        self._fetching: asyncio.Task[None] | None = None
        self._draining = False

    async def run(self) -> None:
        """Carry records until the lane is drained; an error in any of its steps ends the lane.

        Raises:
            ExceptionGroup: What went wrong, in whichever step.
        """
        async with asyncio.TaskGroup() as steps:
            self._fetching = steps.create_task(self._fetch(steps))
            # However fetching ends, even before its first step: what is in flight then is all there will be.
            self._fetching.add_done_callback(lambda _: self._in_flight.put_nowait(None))
            if self._draining:
                self._fetching.cancel()
            await self._deliver()

    def drain(self) -> None:
        """Fetch nothing more; `run` returns when what is in flight has been delivered."""
        self._draining = True
        if self._fetching is not None:
            self._fetching.cancel()

    async def _fetch(self, steps: asyncio.TaskGroup) -> None:
        await self._source.open()
        while True:
            await self._room.acquire()
            chunk = await self._source.fetch()
            self._in_flight.put_nowait((chunk, steps.create_task(self._work.process(chunk))))

    async def _deliver(self) -> None:
        while (next_in_flight := await self._in_flight.get()) is not None:
            chunk, processing = next_in_flight
            outcomes = await processing
            # Publish first, then mark as done. The other way round, a crash in between would commit an offset past
            # records that have no outcome, and they would be lost.
            await self._sink.publish(chunk, outcomes)
            self._source.mark_done(chunk)
            self._room.release()
            self._report.delivered(chunk, outcomes)
