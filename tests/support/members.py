"""Members of a consumer group whose lanes are real, and end in a memory instead of a topic."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from config.settings import Settings
from consumer import lane
from consumer.chunk import Chunk, Finished, Processed
from consumer.kafka.source import Source
from consumer.lane import Lane
from consumer.lanes import Lanes
from consumer.wire.records import decode


class Member:
    """Processes nothing before `gate` is open, and remembers what was delivered as partition, offset and value."""

    def __init__(self, settings: Settings) -> None:
        self.lanes = Lanes(self._make_lane, drain_timeout_s=settings.drain_timeout_ms / 1000)
        self.source = Source(settings, self.lanes)
        self.gate = asyncio.Event()
        self.gate.set()
        self.records_started = 0
        self.records: list[tuple[int, int, bytes | None]] = []

    @property
    def delivered(self) -> list[tuple[int, int]]:
        """Partition and offset of each delivered record, in the order of delivery."""
        return [(partition, offset) for partition, offset, _ in self.records]

    @property
    def lanes_running(self) -> int:
        """How many lanes have not ended."""
        return len(self.lanes._running)

    @property
    def lanes_are_draining(self) -> bool:
        """Whether no lane fetches any more."""
        return all(lane._draining for lane in self.lanes._running.values())

    async def open(self) -> None:
        """A memory needs none."""

    async def close(self) -> None:
        """Nor here."""

    async def process(self, chunk: Chunk) -> Processed:
        records = len(decode(chunk))
        self.records_started += records
        await self.gate.wait()
        return Processed(records, 0, [], {})

    async def publish(self, run: Sequence[Finished]) -> None:
        for chunk, _ in run:
            self.records += [(chunk.partition, record.offset, record.value) for record in decode(chunk)]

    def _make_lane(self, source: lane.Source) -> Lane:
        return Lane(source=source, work=self, sink=self, reports=[_Silence()], chunks_max=2)


class _Silence:
    def delivered(self, chunk: Chunk, processed: Processed) -> None:
        pass


@asynccontextmanager
async def member(settings: Settings) -> AsyncIterator[Member]:
    """A member from joining to leaving, drained as the service does it."""
    joined = Member(settings)
    await joined.source.start()
    background = asyncio.create_task(joined.source.run())
    try:
        yield joined
    finally:
        await joined.lanes.close()
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)
        await joined.source.stop()
