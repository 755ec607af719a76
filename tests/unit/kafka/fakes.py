"""Clients of aiokafka that remember what was asked of them, and do what the test wants."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from aiokafka import TopicPartition

from consumer.chunk import Encoded
from consumer.kafka.partition import Partition
from consumer.wire.log import LogBatch
from consumer.wire.records import messages

PLACE = TopicPartition("requests", 0)
OTHER_PLACE = TopicPartition("requests", 1)


class Poll(NamedTuple):
    """What a `getmany` has asked for."""

    partitions: tuple[TopicPartition, ...]
    records_max: int | None


class FakeConsumer:
    """A consumer whose next polls end as `script` says; after that they wait. While it is silent, no call is answered."""

    def __init__(self, *script: Sequence[LogBatch] | LogBatch | Exception) -> None:
        self.script = list(script)
        self.polls: list[Poll] = []
        self.seeks: list[int] = []
        self.committed_offset: int | None = 0
        self.earliest_offset = 0
        self.stable_offset = 0
        self.at = 0
        self.is_silent = False

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, Sequence[LogBatch]]:
        self.polls.append(Poll(partitions, max_records))
        if not self.script:
            await asyncio.get_running_loop().create_future()
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        batches = [answer] if isinstance(answer, LogBatch) else answer
        if batches:
            self.at = batches[-1].next_offset
        return {PLACE: batches} if batches else {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition == PLACE
        self.seeks.append(offset)
        self.at = offset

    async def position(self, partition: TopicPartition) -> int:
        assert partition == PLACE
        return self.at

    async def committed(self, partition: TopicPartition) -> int | None:
        if self.is_silent:
            await asyncio.get_running_loop().create_future()
        return self.committed_offset

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.earliest_offset)

    def last_stable_offset(self, partition: TopicPartition) -> int:
        assert partition == PLACE
        return self.stable_offset


class FakeCommitter:
    """The part of a consumer that commits. A commit waits for `gate`, and then ends as `refusal` says."""

    def __init__(self, *assigned: TopicPartition) -> None:
        self.assigned = set(assigned)
        self.asked: list[Mapping[TopicPartition, int]] = []
        self.landed: list[Mapping[TopicPartition, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refusal: Exception | None = None
        self.at_once_max = 0
        self._at_once = 0

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.asked.append(dict(offsets))
        self._at_once += 1
        self.at_once_max = max(self.at_once_max, self._at_once)
        try:
            await self.gate.wait()
            if self.refusal is not None:
                raise self.refusal
            self.landed.append(dict(offsets))
        finally:
            self._at_once -= 1


def values_of(batch: Encoded) -> list[bytes | None]:
    """The values of a batch's records."""
    return [value for _, value, _, _ in messages(batch)]


class FakeProducer:
    """A producer. What is sent is acknowledged when `gate` opens, or fails by `error`."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.error = error
        self.gate = asyncio.Event()
        self.gate.set()
        self.sent: defaultdict[int, list[list[bytes | None]]] = defaultdict(list)
        self.is_stopped = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.is_stopped = True

    async def append(self, topic: str, partition: int, batches: Sequence[Encoded]) -> None:
        await self.gate.wait()
        for batch in batches:
            self.sent[partition].append(values_of(batch))
            if self.error is not None:
                raise self.error

    def values(self, partition: int) -> list[bytes | None]:
        """All that was sent to *partition*, in order, acknowledged or not."""
        return [value for batch in self.sent[partition] for value in batch]


class FakeLanes:
    """Lanes that only remember. A drain waits for `gate`, and opening ends in `error`."""

    def __init__(self) -> None:
        self.opened: list[TopicPartition] = []
        self.partitions: list[Partition] = []
        self.drains = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    def open(self, sources: Collection[Partition]) -> None:
        if self.error is not None:
            raise self.error
        self.partitions = list(sources)
        self.opened += [source.topic_partition for source in sources]

    async def drain(self) -> bool:
        self.drains += 1
        await self.gate.wait()
        return True
