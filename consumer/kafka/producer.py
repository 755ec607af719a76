"""A producer of record batches that are made already."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import DuplicateSequenceNumber, KafkaError, NotLeaderForPartitionError, ProducerClosed

from config.settings import Settings
from consumer.chunk import Encoded
from consumer.kafka.client import connection_options, describe
from consumer.kafka.line import Line
from consumer.kafka.sealed import Sealed
from consumer.wire.packing import Packing

RETRY_WAIT_S = 0.1
NO_LEADER = (None, -1)

log = structlog.get_logger(__name__)


def packing(settings: Settings) -> Packing:
    """How records are put into batches for any producer (T22: in workers where they are many, for they are compressed)."""
    return Packing(settings.publish_batch_bytes_max, settings.result_compression)


class Producer(AIOKafkaProducer):  # type: ignore[misc] # aiokafka is not typed
    """One whose records are acknowledged by all replicas in sync, and written once however often it tries.

    T35: in aiokafka, a batch goes by an accumulator and a task that waits for whatever may happen, and leaves in the
    third round of the event loop; by a `Line` to its broker, it leaves in the next one. Those of transactions still go
    the other way, for there aiokafka keeps account of their partitions.
    """

    def __init__(self, settings: Settings, transactional_id: str | None = None) -> None:
        super().__init__(
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
        self._transactional = transactional_id is not None
        # One batch of a partition at a time. T16: of those that wait in aiokafka's queue, the second times out too early.
        self._turns = defaultdict[TopicPartition, asyncio.Lock](asyncio.Lock)
        self._lines: dict[int, Line] = {}
        self._stopping = False
        self._disconnecting = False

    async def append(self, topic: str, partition: int, batches: Sequence[Encoded]) -> None:
        """Append *batches* to *partition* modulo the topic's number of partitions.

        Each is acknowledged before the next one is sent: behind one that fails, a later one could be accepted, and the
        records would stand out of order.

        Raises:
            KafkaError: A batch is refused, or its fate unknown. T14: this producer is of no use any more.
        """
        place = TopicPartition(topic, partition % len(await self.partitions_for(topic)))
        for batch in batches:
            if self._stopping:
                raise ProducerClosed
            sealed = Sealed(batch, transactional=self._transactional)
            async with self._turns[place]:
                if self._transactional:
                    await (await self.send_batch(sealed, topic, partition=place.partition))
                else:
                    await self._send(place, sealed)

    async def _send(self, place: TopicPartition, sealed: Sealed) -> None:
        """Send a batch until it has arrived, wherever its partition's leader is by then; whoever waits bounds the time."""
        for tries in itertools.count(1):
            try:
                await self._line(place).send(place, sealed)
            except DuplicateSequenceNumber:
                return  # a try whose answer was lost had arrived
            except KafkaError as error:
                if not error.retriable:
                    raise
                if tries == 1:
                    log.warning("batch not taken, trying again", **place._asdict(), error=describe(error))
                self.client.force_metadata_update()
                await asyncio.sleep(RETRY_WAIT_S)
            else:
                return

    def _line(self, place: TopicPartition) -> Line:
        if self._disconnecting:
            raise ProducerClosed
        leader = self.client.cluster.leader_for_partition(place)
        if leader in NO_LEADER:
            raise NotLeaderForPartitionError
        if leader not in self._lines:
            self._lines[leader] = Line(self.client, leader, self._txn_manager, timeout_ms=self._request_timeout_ms)
        return self._lines[leader]

    async def stop(self) -> None:
        """Wait for what is on its way, and disconnect."""
        self._stopping = True
        try:
            for turn in [*self._turns.values()]:
                async with turn:
                    pass
        finally:
            self._disconnecting = True
            for line in self._lines.values():
                line.end()
            await super().stop()
