"""An observer: reads what an outsider can see, with a client that is not the service's, and enters it in the ledger."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.ledger.entry import Entry
from consumer.ledger.ledger import Ledger
from tests.support.brokers import Topics

CALL_TIMEOUT_S = 5.0
CONSUME_S = 0.05  # so long it collects, whatever there is
RECORDS_MAX = 10_000


class Observer:
    """Follows the result and dead letter topics as a `read_committed` reader, and the offsets of the group."""

    def __init__(self, bootstrap_servers: str, topics: Topics, ledger: Ledger, *, partitions: int) -> None:
        self._ledger = ledger
        self._topics = topics
        self._requests = [TopicPartition(topics.request_topic, partition) for partition in range(partitions)]
        self._read: dict[tuple[str, int], int] = {
            (topic, partition): 0
            for topic in (topics.result_topic, topics.dead_letter_topic)
            for partition in range(partitions)
        }
        options = {"bootstrap.servers": bootstrap_servers, "enable.auto.commit": False, "log_level": 0}
        reader = {"group.id": "observer", "isolation.level": "read_committed", "enable.partition.eof": True}
        self._outcomes = Consumer(options | reader | {"auto.offset.reset": "earliest", "fetch.wait.max.ms": 50})
        # It asks in the group's name, and never joins. What a transaction has yet to commit it is not told either way; but
        # a read_committed client waits for the end of it, and that of an instance that was killed waits for the next one.
        self._group = Consumer(options | {"group.id": topics.group_id, "isolation.level": "read_uncommitted"})
        self._outcomes.assign([TopicPartition(*place, 0) for place in self._read])
        self._turn = asyncio.Lock()
        self.committed: dict[int, int] = {}
        self.absent: set[str] = set()  # topics that a test has taken away

    async def look(self) -> None:
        """Read the committed offsets, then all outcomes there are, and enter both.

        In this order: whatever was committed when it was read had its outcome before, so it must be among those.
        """
        async with self._turn:
            committed = await asyncio.to_thread(self._committed)
            await self._catch_up()
            for partition, offset in committed.items():
                self._ledger.committed(partition, offset)
            self.committed = committed

    @asynccontextmanager
    async def looking(self, *, interval_s: float = 0.15) -> AsyncIterator[None]:
        """Look again and again, for as long as the context lasts; while no broker can be reached there is nothing to see."""
        done = asyncio.Event()

        async def look_again() -> None:
            while not done.is_set():
                with suppress(KafkaException, TimeoutError):
                    await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(interval_s):
                        await done.wait()

        looking = asyncio.create_task(look_again())
        try:
            yield
        finally:
            done.set()
            await looking  # not cancelled: what a thread of it has read would be lost
            await asyncio.to_thread(self._outcomes.close)
            await asyncio.to_thread(self._group.close)

    def _committed(self) -> dict[int, int]:
        answers = self._group.committed(self._requests, timeout=CALL_TIMEOUT_S)
        return {answer.partition: answer.offset for answer in answers if answer.offset >= 0}

    async def _catch_up(self) -> None:
        """Read everything up to where the topics end at this moment."""
        ends = await asyncio.to_thread(lambda: {place: self._end(place) for place in self._read})
        deadline = time.monotonic() + CALL_TIMEOUT_S
        while behind := {place for place, end in ends.items() if self._read[place] < end}:
            messages = await asyncio.to_thread(self._outcomes.consume, RECORDS_MAX, CONSUME_S)
            if messages:
                deadline = time.monotonic() + CALL_TIMEOUT_S
            elif time.monotonic() > deadline:
                raise TimeoutError(f"nothing came of {behind}")
            for message in messages:
                self._enter(message)

    def _end(self, place: tuple[str, int]) -> int:
        if place[0] in self.absent:  # a broker that has just started may know no topic yet, so its word is not taken
            return 0
        _, end = self._outcomes.get_watermark_offsets(TopicPartition(*place), timeout=CALL_TIMEOUT_S)
        return int(end)

    def _enter(self, message: Message) -> None:
        topic, partition, offset = str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
        if (error := message.error()) is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._read[topic, partition] = max(self._read[topic, partition], offset)  # beyond gaps at the end
            return
        _, timestamp = message.timestamp()
        headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
        entry = Entry(topic, partition, offset, message.key(), message.value(), headers, int(timestamp))
        self._read[topic, partition] = offset + 1
        enter = self._ledger.answer if topic == self._topics.result_topic else self._ledger.dead_letter
        enter(entry)
