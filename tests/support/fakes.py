"""A source, a work and a sink that remember what was asked of them, in one common order of events."""

import asyncio
from collections.abc import Sequence

from consumer.chunk import Chunk, Finished, Processed


class Memory(list[tuple[str, int]]):
    """What happened to which chunk, by its first offset, in the order in which it happened."""

    def of(self, event: str) -> list[int]:
        """The chunks to which *event* has happened."""
        return [offset for happened, offset in self if happened == event]


class FakeSource:
    """Hands out the given chunks, and then waits as a real one would."""

    partition = 0

    def __init__(self, memory: Memory, chunks: Sequence[Chunk]) -> None:
        self._memory = memory
        self._chunks = list(chunks)
        self.is_open = asyncio.Event()
        self.opened = 0

    async def open(self) -> None:
        self.opened += 1
        self.is_open.set()

    async def fetch(self) -> Chunk:
        if not self._chunks:
            await asyncio.get_running_loop().create_future()
        chunk = self._chunks.pop(0)
        self._memory.append(("fetched", chunk.first_offset))
        return chunk

    def mark_done(self, chunk: Chunk) -> None:
        self._memory.append(("done", chunk.first_offset))


class FakeWork:
    """Answers every record; a chunk whose gate is shut is not answered before it opens."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.gates: dict[int, asyncio.Event] = {}
        self.error: Exception | None = None

    def shut(self, first_offset: int) -> asyncio.Event:
        return self.gates.setdefault(first_offset, asyncio.Event())

    async def process(self, chunk: Chunk) -> Processed:
        self._memory.append(("started", chunk.first_offset))
        if gate := self.gates.get(chunk.first_offset):
            await gate.wait()
        if self.error is not None:
            raise self.error
        self._memory.append(("processed", chunk.first_offset))
        return Processed(chunk.next_offset - chunk.first_offset, 0, [], {})


class FakeSink:
    """Publishes at once, or fails, or waits for its gate."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        self.opened = self.closed = 0
        self.runs: list[list[int]] = []

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    async def publish(self, run: Sequence[Finished]) -> None:
        self.runs.append([chunk.first_offset for chunk, _ in run])
        self._remember("publishing", run)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self._remember("published", run)

    def _remember(self, event: str, run: Sequence[Finished]) -> None:
        self._memory.extend((event, chunk.first_offset) for chunk, _ in run)


class FakeReport:
    """Counts batches."""

    def __init__(self) -> None:
        self.batches = 0

    def delivered(self, chunk: Chunk, processed: Processed) -> None:
        assert processed.records == chunk.next_offset - chunk.first_offset
        self.batches += processed.records
