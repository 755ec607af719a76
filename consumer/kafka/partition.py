"""One assigned partition of the request topic, for as long as it is assigned."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from consumer import metrics
from consumer.chunk import Chunk
from consumer.failures import OffsetsLost, Stalled
from consumer.kafka.commits import Done
from consumer.wire.log import Ahead, Piece, joined

POLL_WAIT_MS = 1000
RETRY_WAIT_S = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """The bounds of a chunk, and of the patience with a partition that cannot be read."""

    chunk_records_max: int
    chunk_bytes_max: int
    outage_timeout_ms: int
    lost_offsets: Literal["earliest", "stop"]


class Partition:
    """The source of one lane.

    Only this partition is polled here (T12: a filter, not pause, which would throw fetched records away), so what goes
    wrong with another one cannot cost records of this one (T3), and no record of a later assignment can slip in (T6):
    a rebalance ends the lane, and with it the poll, before it begins.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, commits: Done, limits: FetchLimits
    ) -> None:
        self.topic_partition = partition
        self._consumer = consumer
        self._commits = commits
        self._limits = limits
        self._ahead = Ahead(0)
        self._next_offset = 0  # the first one that no chunk has carried yet
        self._done_offset = 0
        self._progressed_at = time.monotonic()
        self._log = log.bind(topic=partition.topic, partition=partition.partition)

    @property
    def partition(self) -> int:
        """Its number."""
        return int(self.topic_partition.partition)

    async def open(self) -> None:
        """Stand at the committed offset; a group that has none starts at the earliest record, on purpose (T2).

        Seeking in so many words keeps the reset policy of the client, which would jump without a trace, out of play.
        """
        started = time.monotonic()
        while True:
            try:
                committed = await self._consumer.committed(self.topic_partition)
                offset = await self._earliest() if committed is None else committed
                break
            except KafkaError as error:
                await self._wait_out(error, since=started)
        self._start_at(offset)
        if committed is None:
            self._log.info("new group: starting at the earliest record", offset=offset)
            self._done(offset)

    async def fetch(self) -> Chunk:
        """The next records, at least one, bounded by the chunk's count and bytes.

        Raises:
            OffsetsLost: The committed offset is gone from the log, and the settings say to stop.
            Stalled: The partition could not be read for as long as an outage may last.
        """
        started = time.monotonic()
        while True:
            try:
                if taken := self._ahead.take(
                    records_max=self._limits.chunk_records_max, bytes_max=self._limits.chunk_bytes_max
                ):
                    return self._chunk(taken)
                # A chunk that was just handed out is to be with a worker before this takes the time to poll.
                await asyncio.sleep(0)
                await self._poll()
            except KafkaError as error:
                # T3: what the failed poll had already taken is gone, and its position may have moved.
                self._seek_to_next()
                await self._wait_out(error, since=started)

    def _chunk(self, pieces: Sequence[Piece]) -> Chunk:
        first_offset = max(self._next_offset, pieces[0].first_offset)
        self._next_offset = pieces[-1].next_offset
        return Chunk(
            topic=self.topic_partition.topic,
            partition=self.partition,
            first_offset=first_offset,
            next_offset=self._next_offset,
            timestamp=pieces[0].timestamp,
            batches=joined([piece.data for piece in pieces]),
        )

    def mark_done(self, chunk: Chunk) -> None:
        """Let the offset behind *chunk* be committed."""
        if chunk.next_offset <= self._next_offset:  # beyond it, the chunk is from a log that has been replaced
            self._done(chunk.next_offset)

    @property
    def next_offset(self) -> int:
        """Where the next chunk begins."""
        return self._next_offset

    @property
    def done_offset(self) -> int:
        """Below it, every record has its outcome."""
        return self._done_offset

    @property
    def committed_offset(self) -> int | None:
        """Below it, the group knows that; None before the first commit, and where transactions commit."""
        return self._commits.committed(self.topic_partition)

    @property
    def lag(self) -> int:
        """Records that could be read and are not done yet; gaps in the offsets count until they are passed."""
        end = self._consumer.last_stable_offset(self.topic_partition) or 0
        return max(0, end - self._done_offset)

    @property
    def stuck_s(self) -> float:
        """How long, in seconds, there has been something to do and nothing was done; 0 when all is done."""
        if not self.lag:
            self._progressed_at = time.monotonic()
        return time.monotonic() - self._progressed_at

    async def _poll(self) -> None:
        """Wait for the next record batches; T22: they are not decoded here, however many records they hold."""
        try:
            polled = await self._consumer.getmany(self.topic_partition, timeout_ms=POLL_WAIT_MS)
        except OffsetOutOfRangeError:
            await self._go_on_after_loss()
            return
        if not polled:
            await self._pass_gap()
        self._ahead.add(polled.get(self.topic_partition, ()))

    async def _pass_gap(self) -> None:
        """Count offsets without records (control markers, compaction) as done, so that lag reads zero at the end."""
        position = await self._consumer.position(self.topic_partition)
        if self._done_offset == self._next_offset < position:  # nothing is in flight
            self._next_offset = position
            self._done(position)

    def _done(self, offset: int) -> None:
        self._done_offset = offset
        self._progressed_at = time.monotonic()
        self._commits.done(self.topic_partition, offset)

    async def _go_on_after_loss(self) -> None:
        """The next offset is not in the log: retention was faster than we, or the topic was made anew."""
        lost, earliest = self._next_offset, await self._earliest()
        metrics.OFFSETS_LOST.inc()
        self._log.error("offset lost", offset=lost, earliest=earliest, policy=self._limits.lost_offsets)
        if self._limits.lost_offsets == "stop":
            raise OffsetsLost(
                f"{self.topic_partition.topic}/{self.topic_partition.partition}: offset {lost} is not in the log, which "
                f"starts at {earliest}; set lost_offsets=earliest to go on from there"
            )
        self._commits.forget([self.topic_partition])
        self._start_at(earliest)
        self._done(earliest)

    async def _earliest(self) -> int:
        offsets = await self._consumer.beginning_offsets([self.topic_partition])
        return int(offsets[self.topic_partition])

    def _start_at(self, offset: int) -> None:
        self._next_offset = self._done_offset = offset
        self._seek_to_next()

    def _seek_to_next(self) -> None:
        self._ahead = Ahead(self._next_offset)
        try:
            self._consumer.seek(self.topic_partition, self._next_offset)
        except IllegalStateError:
            self._log.debug("not assigned any more")  # the rebalance that took it ends this lane, too

    async def _wait_out(self, error: KafkaError, *, since: float) -> None:
        if time.monotonic() - since > self._limits.outage_timeout_ms / 1000:
            raise Stalled(f"{self.topic_partition.topic}/{self.topic_partition.partition} cannot be read") from error
        self._log.warning("partition cannot be read, trying again", error=repr(error), offset=self._next_offset)
        await asyncio.sleep(RETRY_WAIT_S)
