"""A lane: the road of one assigned partition, from its requests to its results."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Protocol

import structlog

from consumer.chunk import Chunk, Finished, Processed

START_OVER_WAIT_S = 0.5
# Chunks that a run does not wait for, so that its lane has something to do while it is published.
PROCESSED_MEANWHILE = 2

log = structlog.get_logger(__name__)


class Source(Protocol):
    """Where the records of one partition come from."""

    @property
    def partition(self) -> int: ...

    async def open(self) -> None:
        """Stand at the first record that is not done."""

    async def fetch(self) -> Chunk:
        """The next records, at least one, as soon as there are any; cancelling it loses none."""

    def mark_done(self, chunk: Chunk) -> None:
        """Every record of *chunk* has its durable outcome: its offset may be committed."""


class Work(Protocol):
    """What is done with a chunk's records."""

    def process(self, chunk: Chunk) -> Coroutine[Any, Any, Processed]:
        """What becomes of each record. It may be begun before this is awaited."""


class Sink(Protocol):
    """Where outcomes go."""

    async def open(self) -> None:
        """Be the one that publishes for this partition, before anything is fetched for it."""

    async def close(self) -> None:
        """Publish for it no more."""

    async def publish(self, run: Sequence[Finished]) -> None:
        """Return when every outcome of these consecutive chunks is durable: a result, or a dead letter.

        Raises:
            StartOver: Nobody knows whether they are, or somebody else has taken the partition.
        """


class Report(Protocol):
    """Who keeps count."""

    def delivered(self, chunk: Chunk, processed: Processed) -> None:
        """*chunk* is done: what came of it is durable."""


class StartOver(Exception):
    """What is in flight must be dropped; the committed offset alone tells where the work goes on."""


class Lane:
    """One partition's road. Chunks are processed side by side, and published in order, in runs of what is finished.

    `chunks_max` bounds the chunks between fetch and done, and with them the lane's memory: a lane that has so many in
    flight does not fetch. Where publishing has a price for each run, a finished chunk waits up to `linger_s` seconds for
    those that are being processed behind it.
    """

    def __init__(
        self,
        *,
        source: Source,
        work: Work,
        sink: Sink,
        reports: Sequence[Report],
        chunks_max: int,
        linger_s: float = 0.0,
    ) -> None:
        self._source = source
        self._work = work
        self._sink = sink
        self._reports = reports
        self._chunks_max = chunks_max
        self._linger_s = linger_s
        self._in_flight = InFlight(chunks_max, linger_s)
        self._fetching: asyncio.Task[None] | None = None
        self._draining = False

    @property
    def partition(self) -> int:
        """The number of its partition."""
        return self._source.partition

    @property
    def in_flight(self) -> Sequence[Chunk]:
        """The chunks between fetch and done, oldest first."""
        return self._in_flight.chunks

    async def run(self) -> None:
        """Carry records until the lane is drained; an error in any of its steps ends the lane.

        Raises:
            ExceptionGroup: What went wrong, in whichever step.
        """
        while not self._draining:
            try:
                await self._carry()
            except* StartOver as reasons:
                log.warning("lane starts over", partition=self._source.partition, reason=str(reasons.exceptions[0]))
                await asyncio.sleep(START_OVER_WAIT_S)

    def drain(self) -> None:
        """Fetch nothing more; `run` returns when what is in flight has been delivered."""
        self._draining = True
        if self._fetching is not None:
            self._fetching.cancel()

    async def _carry(self) -> None:
        in_flight = self._in_flight = InFlight(self._chunks_max, self._linger_s)
        try:
            async with asyncio.TaskGroup() as steps:
                self._fetching = steps.create_task(self._fetch(in_flight, steps))
                # However fetching ends, even before its first step: what is in flight then is all there will be.
                self._fetching.add_done_callback(lambda _: in_flight.end())
                await self._deliver(in_flight)
        finally:
            await self._sink.close()

    async def _fetch(self, in_flight: "InFlight", steps: asyncio.TaskGroup) -> None:
        await self._sink.open()
        await self._source.open()
        while True:
            await in_flight.room()
            chunk = await self._source.fetch()
            in_flight.put(chunk, steps.create_task(self._work.process(chunk)))

    async def _deliver(self, in_flight: "InFlight") -> None:
        async for run in in_flight:
            for chunk, _ in run:
                chunk.times.publishing = time.monotonic()
            # Publish first, then mark as done. The other way round, a crash in between would commit an offset past
            # records that have no outcome, and they would be lost.
            await self._sink.publish(run)
            for chunk, processed in run:
                self._source.mark_done(chunk)
                chunk.times.durable = time.monotonic()
                for report in self._reports:
                    report.delivered(chunk, processed)


class InFlight:
    """The chunks between fetch and done, in order, each with the task that processes it."""

    def __init__(self, chunks_max: int, linger_s: float) -> None:
        self._room = asyncio.Semaphore(chunks_max)
        self._linger_s = linger_s
        self._awaited_max = max(1, chunks_max - PROCESSED_MEANWHILE)
        self._waiting: deque[tuple[Chunk, asyncio.Task[Processed]]] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self.chunks: deque[Chunk] = deque()

    async def room(self) -> None:
        """Return when there is room for another chunk."""
        await self._room.acquire()

    def put(self, chunk: Chunk, processing: "asyncio.Task[Processed]") -> None:
        """Add a chunk behind the others."""
        self.chunks.append(chunk)
        self._waiting.append((chunk, processing))
        self._changed.set()

    def end(self) -> None:
        """No chunk will be added any more."""
        self._ended = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[Sequence[Finished]]:
        """The next chunk, when its turn has come, with those right behind it that are finished by then.

        A lone chunk never waits for others, and when publishing is slow, runs grow by themselves. They make room when
        the next one is asked for.
        """
        while await self._any():
            run = [await self._next()]
            lingers_until = time.monotonic() + self._linger_s
            while await self._another(run, lingers_until):
                run.append(await self._next())
            yield run
            for _ in run:
                self.chunks.popleft()
                self._room.release()

    async def _any(self) -> bool:
        while not self._waiting and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        return bool(self._waiting)

    async def _another(self, run: Sequence[Finished], lingers_until: float) -> bool:
        if not self._waiting:
            return False
        _, processing = self._waiting[0]
        if not processing.done() and len(run) < self._awaited_max and (left_s := lingers_until - time.monotonic()) > 0:
            await asyncio.wait([processing], timeout=left_s)
        return processing.done()

    async def _next(self) -> Finished:
        chunk, processing = self._waiting.popleft()
        return Finished(chunk, await processing)
