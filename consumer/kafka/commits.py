"""The offsets that are done, and their way into the group."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from consumer import metrics

log = structlog.get_logger(__name__)


class Done(Protocol):
    """Who wants to know what is done."""

    def done(self, partition: TopicPartition, offset: int) -> None:
        """Everything of *partition* below *offset* has its outcome."""

    def committed(self, partition: TopicPartition) -> int | None:
        """The last offset of *partition* that was committed here; None while there was none, or where others commit."""

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop what is known of *partitions*."""


class CommittedBySink:
    """Commits nothing, because the sink's transactions do; the two must never be mixed."""

    def done(self, partition: TopicPartition, offset: int) -> None:
        """Leave it at that."""

    def committed(self, partition: TopicPartition) -> None:
        """Nothing was, here."""

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Nothing was kept."""


class Commits:
    """Commits what is done: soon, often, and never backwards.

    T13: every commit names its offsets, holds only partitions that are still assigned, is bounded in time, and waits
    for the one before it, so that none can land late over a newer one.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, interval_ms: int, timeout_ms: int) -> None:
        self._consumer = consumer
        self._interval_s = interval_ms / 1000
        self._timeout_s = timeout_ms / 1000
        self._done: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._due = asyncio.Event()
        self._turn = asyncio.Lock()
        self.refused = 0

    def done(self, partition: TopicPartition, offset: int) -> None:
        """Everything of *partition* below *offset* has its outcome."""
        if offset > self._done.get(partition, -1):
            self._done[partition] = offset
            self._due.set()

    def committed(self, partition: TopicPartition) -> int | None:
        """The last offset of *partition* that was committed here, if there was one."""
        return self._committed.get(partition)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop what is known of *partitions*: they are another instance's business now."""
        for partition in partitions:
            self._done.pop(partition, None)
            self._committed.pop(partition, None)

    async def run(self) -> None:
        """Commit the first done offset at once, and from then on once an interval at most."""
        while True:
            await self._due.wait()
            if not await self.commit():
                self._due.set()  # the offsets are still due; try again after the interval
            await asyncio.sleep(self._interval_s)

    async def commit(self) -> bool:
        """Commit all that is done; false when the group refused or did not answer in time.

        A refusal is no error of ours: the group is rebalancing, or has given the partitions to somebody else, and the
        records come again.
        """
        async with self._turn:
            self._due.clear()
            assigned = self._consumer.assignment()
            offsets = {
                partition: offset
                for partition, offset in self._done.items()
                if partition in assigned and offset > self._committed.get(partition, -1)
            }
            if not offsets:
                return True
            try:
                async with asyncio.timeout(self._timeout_s):
                    with metrics.COMMIT_SECONDS.time():
                        await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError) as refusal:
                self.refused += 1
                metrics.COMMITS_REFUSED.inc()
                log.info("commit refused", reason=str(refusal), partitions=len(offsets))
            except (KafkaError, TimeoutError) as error:
                log.warning("commit failed", error=repr(error), partitions=len(offsets))
            else:
                # What was forgotten meanwhile may have begun again, and lower, in a log that has replaced the old one.
                self._committed |= {
                    partition: offset
                    for partition, offset in offsets.items()
                    if offset <= self._done.get(partition, -1)
                }
                return True
            return False
