"""Publishing with one producer and, when that has failed, with the next."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from config.settings import Settings
from consumer import metrics
from consumer.chunk import Encoded
from consumer.failures import CannotConnect, Stalled
from consumer.kafka.client import describe, start_client, stop_client
from consumer.kafka.producer import Producer, packing
from consumer.wire.records import singles

RETRY_WAIT_S = 1.0
RETIRE_TIMEOUT_S = 10.0

log = structlog.get_logger(__name__)


class Publisher:
    """An idempotent producer for one topic, replaced whenever it has failed.

    T14: after one failed batch its sequence numbers have a hole that a broker will refuse for ever, so a failure costs
    the producer: a new one publishes everything again, and what was in flight on the old one may finish there.

    *holds_too_large*: a record that the topic refuses as too large is tried again, like any other failure, until
    somebody has raised the topic's limit; otherwise it is given back to the caller.
    """

    def __init__(self, settings: Settings, topic: str, *, holds_too_large: bool) -> None:
        self._settings = settings
        self._topic = topic
        self._holds_too_large = holds_too_large
        self._make = partial(Producer, settings)
        self._packing = packing(settings)
        self._replacing = asyncio.Lock()
        self._retired: set[asyncio.Task[None]] = set()
        self._failing: dict[int, float] = {}
        self.replaced = 0

    async def start(self) -> None:
        """Connect.

        Raises:
            CannotConnect: The brokers could not be used within `connect_timeout_ms`.
        """
        self._producer = await start_client(self._make, timeout_ms=self._settings.connect_timeout_ms)

    async def publish(self, partition: int, batches: Sequence[Encoded]) -> list[Encoded]:
        """Publish *batches*, in order, to *partition* modulo the topic's number of partitions.

        Returns those that the brokers have not acknowledged: none, unless the topic refuses a record as too large and is
        not held for it. That record is the first batch, alone; nothing behind it is published.

        Raises:
            Stalled: It did not work for `outage_timeout_ms`.
        """
        try:
            return await self._publish(partition, [*batches], since=time.monotonic())
        finally:
            self._failing.pop(partition, None)  # also of a lane that was ended while it tried

    async def _publish(self, partition: int, left: list[Encoded], *, since: float) -> list[Encoded]:
        while left:
            producer = self._producer
            try:
                async with asyncio.timeout(self._settings.publish_timeout_ms / 1000):
                    await producer.append(self._topic, partition, left[:1])
            except MessageSizeTooLargeError as error:
                alone = left[0].records == 1
                if not alone:
                    left[:1] = singles(left[0], self._packing)  # the limit is on the batch, and says nothing of them
                elif self._holds_too_large:
                    await self._wait_out(error, partition, since=since)
                await self._replace(producer, error)
                if alone and not self._holds_too_large:
                    break
            except (KafkaError, TimeoutError) as error:
                await self._wait_out(error, partition, since=since)
                await self._replace(producer, error)
            else:
                del left[0]
        return left

    @property
    def failing_since(self) -> float | None:
        """Since when, by the monotonic clock, there is a partition for which nothing can be published; None: there is none."""
        return min(self._failing.values(), default=None)

    async def _replace(self, failed: Producer, error: Exception) -> None:
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

    async def _wait_out(self, error: Exception, partition: int, *, since: float) -> None:
        self._failing[partition] = since
        outage_s = time.monotonic() - since
        if outage_s > self._settings.outage_timeout_ms / 1000:
            raise Stalled(f"nothing can be published to {self._topic}: {describe(error)}") from error
        log.warning("cannot publish, trying again", topic=self._topic, error=describe(error), outage_s=round(outage_s))
        await asyncio.sleep(RETRY_WAIT_S)

    async def stop(self) -> None:
        """Close the producer, and those it has replaced."""
        await asyncio.gather(stop_client(self._producer, timeout_s=RETIRE_TIMEOUT_S), *self._retired)
