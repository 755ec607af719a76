"""The instance's membership in its group: which partitions it has, and how it gives them back."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterator
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

from config.settings import Settings
from consumer import metrics
from consumer.failures import Replaced, Stalled
from consumer.kafka import guards
from consumer.kafka.client import connection_options, dead_tasks, start_client, stop_client
from consumer.kafka.commits import Commits, CommittedBySink, Done
from consumer.kafka.partition import FetchLimits, Partition

KEEP_ALIVE_S = 1.0
STOP_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class Lanes(Protocol):
    """What stands on the partitions."""

    def open(self, sources: Collection[Partition]) -> None:
        """Partitions have been assigned; returns at once, because heartbeats wait for it (T11)."""

    async def drain(self) -> bool:
        """Partitions are being taken away: finish what is in flight within the drain budget, and let the rest go."""


class Source(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is not typed
    """A member of the consumer group; an asynchronous context manager from joining to leaving."""

    def __init__(self, settings: Settings, lanes: Lanes) -> None:
        self._settings = settings
        self._lanes = lanes
        self._partitions: dict[TopicPartition, Partition] = {}
        self._in_group_at = time.monotonic()
        self._broken: Exception | None = None
        self.rebalances = 0

    async def start(self) -> None:
        """Join the group.

        Raises:
            CannotConnect: The brokers could not be used within `connect_timeout_ms`.
        """
        await start_client(self._make_consumer, timeout_ms=self._settings.connect_timeout_ms)

    def _make_consumer(self) -> AIOKafkaConsumer:
        settings = self._settings
        consumer = AIOKafkaConsumer(
            **connection_options(settings),
            group_id=settings.group_id,
            group_instance_id=settings.group_instance_id,  # T28, T29: with one, it may be away for a while
            enable_auto_commit=False,
            auto_offset_reset="none",  # T2: no jump that nobody asked for
            isolation_level="read_committed",  # a request whose transaction was aborted was never made
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),  # T10: more than one would join twice
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,  # T8: 10 s by default, too short to drain
            max_poll_interval_ms=settings.max_poll_interval_ms,
            metadata_max_age_ms=settings.metadata_max_age_ms,
            fetch_max_wait_ms=settings.fetch_wait_ms_max,
            fetch_max_bytes=settings.fetch_bytes_max,
            max_partition_fetch_bytes=settings.partition_fetch_bytes_max,
            key_deserializer=None,  # T5: bytes stay bytes, here even in their batches
            value_deserializer=guards.whole_batches,
        )
        self.commits = Commits(consumer, interval_ms=settings.commit_interval_ms, timeout_ms=settings.commit_timeout_ms)
        consumer.subscribe([settings.request_topic], listener=self)
        self._consumer = consumer  # here, because partitions can be assigned before start returns
        return consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Drain by the lanes' own tasks (T7), commit what came of it, and forget the rest.

        `getmany` is blocked until this returns, so nothing here may wait for one.
        """
        with self._errors_kept():
            if self._partitions:
                log.info("partitions revoked", partitions=sorted(partition for _, partition in revoked))
                await self._lanes.drain()
                await self.commits.commit()
                self.commits.forget(self._partitions)
                self._partitions = {}
            self.rebalances += 1
            metrics.REBALANCES.inc()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Make a source of each partition and open its lane; where they start is found out there."""
        with self._errors_kept():
            log.info("partitions assigned", partitions=sorted(partition for _, partition in assigned))
            limits = FetchLimits(
                chunk_records_max=self._settings.chunk_records_max,
                chunk_bytes_max=self._settings.chunk_bytes_max,
                outage_timeout_ms=self._settings.outage_timeout_ms,
                lost_offsets=self._settings.lost_offsets,
            )
            exactly_once = self._settings.delivery == "exactly_once"
            commits: Done = CommittedBySink() if exactly_once else self.commits
            self._partitions = {
                partition: Partition(self._consumer, partition, commits, limits) for partition in assigned
            }
            self._lanes.open(self._partitions.values())

    @contextlib.contextmanager
    def _errors_kept(self) -> Iterator[None]:
        """Keep what goes wrong in a callback for `check`, because aiokafka only logs it and goes on."""
        try:
            yield
        except Exception as error:
            self._broken = error
            raise

    async def run(self) -> None:
        """Commit what is done and stay in the group, for as long as the instance lives."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.commits.run())
            tasks.create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        """Count as polling, whatever the lanes are doing and even if there are none (T4).

        A lane with enough in flight does not poll, and a member without partitions has nobody to poll: both would be
        put out of the group after `max_poll_interval_ms`. A poll for a partition that cannot exist returns nothing
        and keeps all buffers.
        """
        nowhere = TopicPartition("\0", 0)
        pause_s = min(KEEP_ALIVE_S, self._settings.max_poll_interval_ms / 1000 / 3)
        while True:
            try:
                await self._consumer.getmany(nowhere, timeout_ms=0)
            except KafkaError as error:
                log.warning("group coordination failed", error=repr(error))
            await asyncio.sleep(pause_s)

    @property
    def in_group(self) -> bool:
        """Whether the group's coordinator is in reach, and knows this instance as a member."""
        coordinator = self._consumer._coordinator
        return coordinator.coordinator_id is not None and coordinator.generation > 0

    @property
    def dead_tasks(self) -> list[str]:
        """The names of those of the client's background tasks that have ended; nothing else reports it (T19)."""
        return dead_tasks(self._consumer)

    @property
    def partitions(self) -> Collection[Partition]:
        """The partitions that this instance has."""
        return self._partitions.values()

    def check(self) -> None:
        """Look for a death that nothing else reports (T19).

        Raises:
            Replaced: Another instance has the same `group_instance_id` (T28).
            Stalled: A rebalance failed, a background task of the client has ended, or the instance has been out of its group for longer
                than an outage may last.
        """
        if self._broken is not None:
            raise Stalled("a rebalance was not survived") from self._broken
        if getattr(self._consumer._coordinator, "is_replaced", False):
            raise Replaced(f"another instance has joined the group as {self._settings.group_instance_id}")
        if dead := self.dead_tasks:
            raise Stalled(f"the Kafka consumer has lost its {', '.join(dead)}")
        now = time.monotonic()
        if self.in_group:
            self._in_group_at = now
        elif now - self._in_group_at > self._settings.outage_timeout_ms / 1000:
            raise Stalled(f"not in the group {self._settings.group_id} for {now - self._in_group_at:.0f} s")

    async def stop(self) -> None:
        """Commit what is done, and leave the group."""
        await self.commits.commit()
        await stop_client(self._consumer, timeout_s=STOP_TIMEOUT_S)
