"""One producer, and what it takes to publish with it and lose nothing."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from config.settings import Settings
from consumer import metrics
from consumer.failures import CannotConnect, Stalled
from consumer.kafka.client import connection_options, describe, start_client, stop_client
from consumer.kafka.messages import Message

RETRY_WAIT_S = 1.0
RETIRE_TIMEOUT_S = 10.0

log = structlog.get_logger(__name__)


# T16: only one batch per partition is queued, and a second waiter would time out too early, so they wait in turn.
Turns = defaultdict[int, asyncio.Lock]


def make_producer(settings: Settings, transactional_id: str | None = None) -> AIOKafkaProducer:
    """A producer whose records are acknowledged by all replicas in sync, and written once however often it tries."""
    return AIOKafkaProducer(
        **connection_options(settings),
        acks="all",
        enable_idempotence=True,
        transactional_id=transactional_id,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        compression_type=None if settings.result_compression == "none" else settings.result_compression,
        max_batch_size=settings.publish_batch_bytes_max,
        linger_ms=0,
        metadata_max_age_ms=settings.metadata_max_age_ms,
    )


async def send(
    producer: AIOKafkaProducer, topic: str, partition: int, messages: Sequence[Message], turns: Turns
) -> None:
    """Send *messages* to *partition* modulo the topic's number of partitions, as few batches.

    Each batch is acknowledged before the next one is sent: behind one that fails, a later one could be accepted, and
    the messages would stand out of order (T22: batches are bounded, for they are compressed on the event loop).
    """
    target = partition % len(await producer.partitions_for(topic))
    batch = producer.create_batch()
    for key, value, headers, timestamp_ms in messages:
        while batch.append(key=key, value=value, timestamp=timestamp_ms, headers=headers) is None:
            await _send_batch(producer, topic, target, batch, turns)
            batch = producer.create_batch()
    await _send_batch(producer, topic, target, batch, turns)


async def _send_batch(
    producer: AIOKafkaProducer, topic: str, partition: int, batch: BatchBuilder, turns: Turns
) -> None:
    batch.close()  # T15: an open batch lingers, and others may append to it
    async with turns[partition]:
        acknowledged = await producer.send_batch(batch, topic, partition=partition)
    await acknowledged


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
        self._make = partial(make_producer, settings)
        self._turns = Turns(asyncio.Lock)
        self._replacing = asyncio.Lock()
        self._retired: set[asyncio.Task[None]] = set()
        self.failing_since: float | None = None
        self.replaced = 0

    async def start(self) -> None:
        """Connect.

        Raises:
            CannotConnect: The brokers could not be used within `connect_timeout_ms`.
        """
        self._producer = await start_client(self._make, timeout_ms=self._settings.connect_timeout_ms)

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
                    await send(producer, self._topic, partition, run, self._turns)
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

    async def _replace(self, failed: AIOKafkaProducer, error: Exception) -> None:
        async with self._replacing:
            if self._producer is not failed:
                return  # another lane has met the same failure and was first
            log.warning("producer replaced", topic=self._topic, error=describe(error))
            try:
                self._producer = await start_client(self._make, timeout_ms=self._settings.publish_timeout_ms)
            except CannotConnect as outage:
                log.warning("no producer to be had", topic=self._topic, error=describe(outage))
                return
            self.replaced += 1
            metrics.PRODUCERS_REPLACED.labels("dead_letters" if self._holds_too_large else "results").inc()
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
