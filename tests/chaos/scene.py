"""A scene: one cluster, topics of its own, instances, a load, and the ledger that judges what comes of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import pytest

from config.settings import Settings
from consumer.ledger.entry import Delivery, Violation
from consumer.ledger.ledger import Ledger
from tests.chaos.cluster import ChaosKafka
from tests.chaos.load import Batch, Load
from tests.chaos.observer import Observer
from tests.support.brokers import Topics, fresh_topics
from tests.support.instances import Instance, Instances, instances
from tests.support.kafka import read, settings_for
from tests.support.waiting import wait_until

PARTITIONS = 4
SETTLED_TIMEOUT_S = 30.0
SESSION_TIMEOUT_S = 3.0
CHUNK_RECORDS_MAX = 100
LANE_CHUNKS_MAX = 2

# Everything is noticed within seconds, so that a test can sit it out.
QUICK = {
    "session_timeout_ms": int(SESSION_TIMEOUT_S * 1000),
    "heartbeat_interval_ms": 200,
    "rebalance_timeout_ms": 5_000,
    "drain_timeout_ms": 3_000,
    "request_timeout_ms": 10_000,
    "publish_timeout_ms": 5_000,
    "commit_timeout_ms": 2_000,
    "log_interval_ms": 500,
    "chunk_records_max": CHUNK_RECORDS_MAX,
    "lane_chunks_max": LANE_CHUNKS_MAX,
}

# What may have been fetched or published, and not committed, when a fault strikes.
IN_FLIGHT_MAX = PARTITIONS * LANE_CHUNKS_MAX * CHUNK_RECORDS_MAX

both_deliveries = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])


class Scene:
    """Where a test plays. Nothing is wrong at its end, or the test fails."""

    def __init__(
        self, kafka: ChaosKafka, topics: Topics, started: Instances, *, delivery: Delivery, partitions: int
    ) -> None:
        self.kafka = kafka
        self.topics = topics
        self.instances = started
        self.delivery = delivery
        self.partitions = partitions
        self.ledger = Ledger(topics.request_topic, delivery)
        self.load = Load(kafka.bootstrap_servers, topics.request_topic, self.ledger)
        self.observer = Observer(kafka.bootstrap_servers, topics, self.ledger, partitions=partitions)

    def settings(self, **others: object) -> Settings:
        """Settings of an instance that reaches the brokers through the proxies."""
        chosen = {} if self.delivery == "at_least_once" else {"delivery": self.delivery}
        own = {"bootstrap_servers": self.kafka.proxied}
        return settings_for(self.kafka, self.topics, **(QUICK | own | chosen | others))

    def start(self, *, faulty: bool = False, **settings: object) -> Instance:
        """Start an instance, and do not wait for it."""
        return self.instances.start(self.settings(**settings), faulty=faulty)

    async def started(self, *, faulty: bool = False, **settings: object) -> Instance:
        """An instance that has its partitions."""
        return await self.start(faulty=faulty, **settings).ready()

    async def produce(self, batches: Iterable[Batch], *, partition: int = 0) -> None:
        """Write *batches* to one partition."""
        await self.load.produce(batches, partition=partition)

    async def produce_everywhere(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Write the same batches to each partition."""
        await asyncio.gather(*(self.produce(batches(), partition=partition) for partition in range(self.partitions)))

    @asynccontextmanager
    async def loaded(self, batches: Iterator[Batch], *, batches_per_s: float = 400) -> AsyncIterator[None]:
        """A steady load, for as long as the context lasts; what it sent has been acknowledged when it ends."""
        running = asyncio.create_task(self.load.run(batches, partitions=self.partitions, batches_per_s=batches_per_s))
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await self.load.produce([])

    async def outcomes(self, count: int, *, timeout_s: float = SETTLED_TIMEOUT_S) -> None:
        """Return when so many requests have their outcome."""
        await wait_until(lambda: self.ledger.outcomes >= count, timeout_s=timeout_s, what=f"{count} outcomes are there")

    async def flowing(self, *, within_s: float = SETTLED_TIMEOUT_S) -> None:
        """Under load: return when, in every partition, requests that were made after this call have their outcomes."""
        enough = self.ledger.requests + 10 * self.partitions
        await wait_until(lambda: self.ledger.requests >= enough, timeout_s=within_s, what="requests are written")
        ends = self.ledger.ends()
        await wait_until(lambda: self.ledger.done_before(ends), timeout_s=within_s, what="results flow")

    async def settled(self, *, timeout_s: float = SETTLED_TIMEOUT_S) -> None:
        """Return when every request has its outcome, and every offset is committed.

        Raises:
            TimeoutError: Not in time; the message says where, and the logs of the instances are kept.
        """
        try:
            await wait_until(self._is_settled, timeout_s=timeout_s)
        except TimeoutError:
            left = self.ledger.without_outcome()
            tails = "\n\n".join(f"{instance.name}:\n{instance.log_tail()}" for instance in self.instances)
            raise TimeoutError(
                f"not settled within {timeout_s:g} s: {len(left)} without an outcome, {left[:10]}, …; "
                f"committed: {self.observer.committed} of {self.ledger.ends()}\n{tails}"
            ) from None

    async def look_through_requests(self) -> None:
        """Have the ledger know every request that is in the topic, however it has come there."""
        for partition in range(self.partitions):
            for message in await read(self.kafka, self.topics.request_topic, partition=partition):
                self.load.found(partition, message)

    async def dead_letters(self) -> list[dict[str, bytes]]:
        """The headers of all dead letters, partition by partition."""
        letters = [
            dict(message.headers() or ())
            for partition in range(self.partitions)
            for message in await read(self.kafka, self.topics.dead_letter_topic, partition=partition)
        ]
        return cast("list[dict[str, bytes]]", letters)

    def judge(self, *, duplicates_max: int = 0) -> list[Violation]:
        """What the ledger says."""
        return self.ledger.judge(duplicates_max=duplicates_max)

    def _is_settled(self) -> bool:
        committed = self.observer.committed
        return self.ledger.outcomes >= self.ledger.requests and all(
            committed.get(partition, 0) >= end for partition, end in self.ledger.ends().items()
        )


@asynccontextmanager
async def scene(
    kafka: ChaosKafka, directory: Path, *, delivery: Delivery, partitions: int = PARTITIONS
) -> AsyncIterator[Scene]:
    """A scene with topics that nobody else knows; nothing of it is left at the end."""
    topics = await asyncio.to_thread(fresh_topics, kafka, partitions=partitions)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(kafka.reachable())
        started = await stack.enter_async_context(instances(directory))
        playing = Scene(kafka, topics, started, delivery=delivery, partitions=partitions)
        await stack.enter_async_context(playing.observer.looking())
        yield playing
