"""One producer, and what it takes to publish with it and lose nothing."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from config.settings import Settings
from consumer.failures import CannotConnect, Stalled
from consumer.kafka.client import connection_options, describe, start_client, stop_client

RETRY_WAIT_S = 1.0
RETIRE_TIMEOUT_S = 10.0
TOPIC_WAIT_S = 5.0

log = structlog.get_logger(__name__)


# What is to stand in a topic: key, value, headers, and the timestamp in milliseconds (None: now).
Message = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]], int | None]


class Publisher:
    """An idempotent producer for one topic, replaced whenever it has failed.

    T14: after one failed batch its sequence numbers have a hole that a broker will refuse for ever, so a failure costs
    the producer: a new one publishes everything again, and what was in flight on the old one may finish there.

    *holds_too_large*: a message that the topic refuses as too large is tried again, like any other failure, until
    somebody has raised the topic's limit; otherwise it is given back to the caller.
    """

    def __init__(self, settings: Settings, topic: str, *, holds_too_large: bool) -> None:
        self._settings = settings
        self._topic = topic
        self._holds_too_large = holds_too_large
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._replacing = asyncio.Lock()
        self._retired: set[asyncio.Task[None]] = set()
        self.failing_since: float | None = None
        self.replaced = 0

    async def start(self) -> None:
        """Connect.

        Raises:
            CannotConnect: The brokers could not be used within `connect_timeout_ms`.
        """
        self._producer = await start_client(self._make_producer, timeout_ms=self._settings.connect_timeout_ms)

    async def wait_for_topic(self, topic: str) -> None:
        """Return when *topic* is there; a broker that makes topics on first use is given the chance.

        Raises:
            CannotConnect: It was not there within `connect_timeout_ms`.
        """
        deadline = time.monotonic() + self._settings.connect_timeout_ms / 1000
        while True:
            try:
                await asyncio.wait_for(self._producer.partitions_for(topic), TOPIC_WAIT_S)
            except (KafkaError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    raise CannotConnect(
                        f"topic {topic} cannot be used: {describe(error)}; `batchsum topics create` makes it"
                    ) from error
                log.warning("topic is not there, waiting for it", topic=topic, error=describe(error))
            else:
                return

    def _make_producer(self) -> AIOKafkaProducer:
        settings = self._settings
        compression = None if settings.result_compression == "none" else settings.result_compression
        return AIOKafkaProducer(
            **connection_options(settings),
            acks="all",
            enable_idempotence=True,
            compression_type=compression,
            max_batch_size=settings.publish_batch_bytes_max,
            linger_ms=0,
            metadata_max_age_ms=settings.metadata_max_age_ms,
        )

    async def publish(self, partition: int, messages: Sequence[Message]) -> int:
        """Publish *messages*, in order, to *partition* modulo the topic's number of partitions.

        Returns how many the brokers have acknowledged, in one unbroken run from the first: all of them, unless the
        topic refuses one as too large and is not held for it. That one is the next; nothing behind it is published.

        Raises:
            Stalled: It did not work for `outage_timeout_ms`.
        """
        started = time.monotonic()
        published, together = 0, len(messages)
        while published < len(messages):
            producer, run = self._producer, messages[published : published + together]
            try:
                async with asyncio.timeout(self._settings.publish_timeout_ms / 1000):
                    await self._send(producer, partition, run)
            except (KafkaError, TimeoutError) as error:
                too_large = isinstance(error, MessageSizeTooLargeError)
                if too_large and len(run) > 1:
                    together = 1  # the limit is on the whole batch: only a message refused alone is too large
                elif not too_large or self._holds_too_large:
                    self._mind_outage(error, since=started)
                    await asyncio.sleep(RETRY_WAIT_S)
                await self._replace(producer, error)
                if too_large and len(run) == 1 and not self._holds_too_large:
                    break
            else:
                published += len(run)
        self.failing_since = None
        return published

    async def _send(self, producer: AIOKafkaProducer, partition: int, messages: Sequence[Message]) -> None:
        """Send *messages* as few batches (T22: bounded, for they are compressed on the event loop)."""
        partitions = await producer.partitions_for(self._topic)
        target = partition % len(partitions)
        sent = []
        async with self._turns[target]:  # T16: a second waiter for the same partition would time out too early
            batch = producer.create_batch()
            for key, value, headers, timestamp_ms in messages:
                while batch.append(key=key, value=value, timestamp=timestamp_ms, headers=headers) is None:
                    sent.append(await producer.send_batch(batch, self._topic, partition=target))
                    batch = producer.create_batch()
            batch.close()  # T15: an open batch lingers, and others may append to it
            sent.append(await producer.send_batch(batch, self._topic, partition=target))
        await asyncio.gather(*sent)

    async def _replace(self, failed: AIOKafkaProducer, error: Exception) -> None:
        async with self._replacing:
            if self._producer is not failed:
                return  # another lane has met the same failure and was first
            log.warning("producer replaced", topic=self._topic, error=describe(error))
            try:
                self._producer = await start_client(self._make_producer, timeout_ms=self._settings.publish_timeout_ms)
            except CannotConnect as outage:
                log.warning("no producer to be had", topic=self._topic, error=describe(outage))
                return
            self.replaced += 1
            retiring = asyncio.create_task(stop_client(failed, timeout_s=RETIRE_TIMEOUT_S))
            self._retired.add(retiring)
            retiring.add_done_callback(self._retired.discard)

    def _mind_outage(self, error: Exception, *, since: float) -> None:
        if self.failing_since is None:
            self.failing_since = since
        outage_s = time.monotonic() - since
        if outage_s > self._settings.outage_timeout_ms / 1000:
            raise Stalled(f"nothing can be published to {self._topic}: {describe(error)}") from error
        log.warning("cannot publish, trying again", topic=self._topic, error=describe(error), outage_s=round(outage_s))

    async def stop(self) -> None:
        """Close the producer, and those it has replaced."""
        await asyncio.gather(stop_client(self._producer, timeout_s=RETIRE_TIMEOUT_S), *self._retired)
