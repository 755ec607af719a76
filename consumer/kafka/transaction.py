"""Exactly once: the outcomes of a run of chunks and its offset, in one transaction of the partition's own producer."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from config.settings import Settings
from consumer import metrics
from consumer.chunk import Encoded, Finished
from consumer.failures import CannotConnect, Stalled
from consumer.kafka.client import describe, start_client, stop_client
from consumer.kafka.messages import dead_letters, log_dead_letters
from consumer.kafka.producer import Producer, packing
from consumer.kafka.sink import Instead
from consumer.lane import StartOver
from consumer.wire.packing import encode
from consumer.wire.records import singles

ABORT_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class AnswersTooLarge(Exception):
    """The result topic refuses a batch of answers."""

    def __init__(self, finished: Finished, batch: Encoded) -> None:
        super().__init__()
        self.finished = finished
        self.batch = batch


class TransactionalSink:
    """The sink of one lane, with a producer whose transactional id belongs to the partition, not to the instance.

    aiokafka cannot tell the broker which member of the group commits (KIP-447), so ownership is proved by the producer
    alone: whoever starts it last fences all others and ends their transaction. Only after that is the committed offset
    the truth, so a lane opens its sink, then reads the offset, and only then fetches. Any failure, a fenced producer
    and a commit whose fate is unknown among them, has the same answer: start over, in that order.
    """

    def __init__(self, settings: Settings, partition: TopicPartition, *, instead: Instead, service: str) -> None:
        self._settings = settings
        self._partition = partition
        self._instead = instead
        self._packing = packing(settings)
        self._service = service
        transactional_id = f"{settings.group_id}-{partition.topic}-{partition.partition}"
        self._make = partial(Producer, settings, transactional_id)
        self._producer: Producer | None = None
        self.failing_since: float | None = None

    async def open(self) -> None:
        """Fence whoever had the partition before, and end what they had begun.

        Raises:
            StartOver: There is no producer to be had for now.
            Stalled: There has been none for as long as an outage may last.
        """
        try:
            self._producer = await start_client(self._make, timeout_ms=self._settings.publish_timeout_ms)
        except CannotConnect as error:
            raise self._start_over(error) from error

    async def close(self) -> None:
        """Abort what has been begun, and close the producer."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            try:
                await abort(producer)
            finally:  # a drain whose budget is spent cancels a lane wherever it stands, also here
                await stop_client(producer, timeout_s=STOP_TIMEOUT_S)

    async def publish(self, run: Sequence[Finished]) -> None:
        """Publish the outcomes and commit the offset, all or nothing.

        Raises:
            StartOver: It did not work, or nobody knows whether it did.
            Stalled: It has not worked for as long as an outage may last.
        """
        while True:
            try:
                await self._transact(run)
            except AnswersTooLarge as refusal:
                await self._make_fit(refusal.finished, refusal.batch)
            else:
                self.failing_since = None
                for finished in run:
                    log_dead_letters(finished)
                return

    async def _transact(self, run: Sequence[Finished]) -> None:
        """One transaction. It begins after the compute, and every batch is acknowledged before the commit.

        The commit itself would not tell: it succeeds after a produce has failed.
        """
        producer = self._started_producer()
        settings = self._settings
        try:
            async with asyncio.timeout(settings.publish_timeout_ms / 1000):
                await producer.begin_transaction()
                for finished in run:
                    await self._send(producer, finished)
                offset = run[-1].chunk.next_offset
                await producer.send_offsets_to_transaction({self._partition: offset}, settings.group_id)
                with metrics.COMMIT_SECONDS.time():
                    await producer.commit_transaction()
        except (KafkaError, TimeoutError, AssertionError) as error:  # illegal states are told by assertions
            raise self._start_over(error) from error

    async def _send(self, producer: Producer, finished: Finished) -> None:
        partition = self._partition.partition
        for batch in finished.processed.answers:
            try:
                await producer.append(self._settings.result_topic, partition, [batch])
            except MessageSizeTooLargeError as error:
                raise AnswersTooLarge(finished, batch) from error
        if finished.processed.rejections:
            letters = encode(dead_letters(finished, self._service), self._packing)
            await producer.append(self._settings.dead_letter_topic, partition, letters)

    async def _make_fit(self, finished: Finished, refused: Encoded) -> None:
        """Have the answers of a batch that was *refused* go one by one, and something else in the place of a lone one."""
        await self.close()  # its sequence numbers have a hole now (T14)
        await self.open()
        answers = finished.processed.answers
        at = next(number for number, batch in enumerate(answers) if batch is refused)
        alone = refused.records == 1
        answers[at : at + 1] = await self._instead(finished, refused) if alone else singles(refused, self._packing)

    def _started_producer(self) -> Producer:
        if self._producer is None:
            raise StartOver("the producer has been closed")
        return self._producer

    def _start_over(self, error: Exception) -> StartOver:
        metrics.PRODUCERS_REPLACED.labels("transaction").inc()
        now = time.monotonic()
        self.failing_since = self.failing_since or now
        if now - self.failing_since > self._settings.outage_timeout_ms / 1000:
            raise Stalled(f"no transaction for {self._partition}: {describe(error)}") from error
        return StartOver(describe(error))


async def abort(producer: Producer) -> None:
    """Abort what *producer* may have begun; if that fails, whoever is next does it by fencing."""
    if producer._txn_manager.is_in_transaction():
        try:
            async with asyncio.timeout(ABORT_TIMEOUT_S):
                await producer.abort_transaction()
        except (KafkaError, TimeoutError, AssertionError) as error:
            log.debug("transaction not aborted", error=describe(error))
