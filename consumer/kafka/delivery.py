"""The two ways to deliver what the lanes have made of their chunks, behind one seam."""

import asyncio
from collections.abc import Collection, Iterator
from typing import Protocol

from aiokafka import TopicPartition

from config.settings import Settings
from consumer.kafka.producer import packing
from consumer.kafka.publisher import Publisher
from consumer.kafka.sink import Instead, Sink
from consumer.kafka.transaction import TransactionalSink
from consumer.lane import Sink as LaneSink


class Delivery(Protocol):
    """What gives each lane its sink."""

    async def start(self) -> None:
        """Connect.

        Raises:
            CannotConnect: The brokers could not be used within `connect_timeout_ms`.
        """

    async def stop(self) -> None:
        """Close all connections."""

    def sink(self, partition: int) -> LaneSink:
        """The sink of the lane of *partition*."""

    def troubles(self, partitions: Collection[int]) -> Iterator[str]:
        """What cannot be delivered of *partitions* at the moment, in words; an outage has a limit of its own."""


class AtLeastOnce:
    """One sink for all lanes; the source commits what it has delivered."""

    def __init__(self, settings: Settings, *, instead: Instead, service: str) -> None:
        self._results = Publisher(settings, settings.result_topic, holds_too_large=False)
        # A producer of their own, so that trouble with dead letters is no trouble with results.
        self._dead_letters = Publisher(settings, settings.dead_letter_topic, holds_too_large=True)
        self._sink = Sink(
            results=self._results,
            dead_letters=self._dead_letters,
            instead=instead,
            packing=packing(settings),
            service=service,
        )

    async def start(self) -> None:
        """Connect both producers."""
        await self._results.start()
        try:
            await self._dead_letters.start()
        except BaseException:
            await self._results.stop()
            raise

    async def stop(self) -> None:
        """Close both producers."""
        await asyncio.gather(self._results.stop(), self._dead_letters.stop())

    def sink(self, partition: int) -> LaneSink:  # noqa: ARG002
        """The one that all lanes share."""
        return self._sink

    def troubles(self, partitions: Collection[int]) -> Iterator[str]:  # noqa: ARG002
        """Which of the two topics cannot be written."""
        if self._results.failing_since is not None:
            yield "results cannot be published"
        if self._dead_letters.failing_since is not None:
            yield "dead letters cannot be published"


class ExactlyOnce:
    """A sink for each lane, which commits what it publishes in the same transaction."""

    def __init__(self, settings: Settings, *, instead: Instead, service: str) -> None:
        self._settings = settings
        self._instead = instead
        self._service = service
        self._sinks: dict[int, TransactionalSink] = {}

    async def start(self) -> None:
        """Connect nothing yet: to start a partition's producer is to claim the partition."""

    async def stop(self) -> None:
        """Nothing is left to do: each lane closes its own."""

    def sink(self, partition: int) -> LaneSink:
        """A new one; the one before has been closed with its lane."""
        request = TopicPartition(self._settings.request_topic, partition)
        self._sinks[partition] = TransactionalSink(
            self._settings, request, instead=self._instead, service=self._service
        )
        return self._sinks[partition]

    def troubles(self, partitions: Collection[int]) -> Iterator[str]:
        """Those of *partitions* whose transactions fail, from the first failure to the next success."""
        for partition in self._sinks.keys() & partitions:
            if self._sinks[partition].failing_since is not None:
                yield f"partition {partition} has no transactions"
