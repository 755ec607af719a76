"""What topics hold, read from here to there: in no group's name, and without a trace."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, UnknownTopicOrPartitionError

from config.settings import Settings
from consumer.failures import CannotConnect, Stalled
from consumer.kafka.client import describe, stop_client
from consumer.kafka.visitor import STOP_TIMEOUT_S, call_timeout_ms, no_topic, start_visitor, visitor_options
from consumer.ledger.entry import Entry

RUN_RECORDS_MAX = 2_000
POLL_TIMEOUT_MS = 200
QUIET_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The offsets of one partition from `start` to below `end`; `kept_from` is the first that the topic still has."""

    topic: str
    partition: int
    start: int
    end: int
    kept_from: int

    def within(self, *, start: int | None = None, end: int | None = None) -> "Span":
        """What of it is not before *start* and is before *end*."""
        first = self.start if start is None else max(self.start, start)
        last = self.end if end is None else min(self.end, end)
        return replace(self, start=first, end=max(first, last))

    def __len__(self) -> int:
        return self.end - self.start


# Told what retention has removed just before it was to be read.
Overtaken = Callable[[Span], None]


class History:
    """Reads what is committed: records of transactions that were aborted have never been there."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings) -> None:
        """Read with a client that is started."""
        self._consumer = consumer
        self._timeout_s = call_timeout_ms(settings) / 1000

    async def spans(self, topic: str) -> list[Span]:
        """All that *topic* has at this moment, a span for each partition, in order.

        Raises:
            CannotConnect: There is no such topic, or it cannot be read.
        """
        async with _answered(f"ask for the offsets of {topic}", self._timeout_s, topic):
            places = [TopicPartition(topic, each) for each in await self._consumer._client._wait_on_metadata(topic)]
            starts = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
        return [
            Span(topic=topic, partition=at.partition, start=starts[at], end=ends[at], kept_from=starts[at])
            for at in sorted(places)
        ]

    async def since(self, moment_ms: int, spans: Sequence[Span]) -> list[Span]:
        """*spans*, from their first records with a timestamp of *moment_ms* or later."""
        first = await self._offsets_at(moment_ms, spans)
        return [
            span.within(start=span.end if offset is None else offset) for span, offset in zip(spans, first, strict=True)
        ]

    async def until(self, moment_ms: int, spans: Sequence[Span]) -> list[Span]:
        """*spans*, up to their first records with a timestamp of *moment_ms* or later."""
        last = await self._offsets_at(moment_ms, spans)
        return [span.within(end=offset) for span, offset in zip(spans, last, strict=True)]

    async def read(self, spans: Iterable[Span], overtaken: Overtaken | None = None) -> AsyncIterator[list[Entry]]:
        """The records of *spans*, those of each partition in order, in runs of at most `RUN_RECORDS_MAX`.

        What retention removes meanwhile is passed over, and *overtaken* is told; if there is none, it is an error.

        Raises:
            CannotConnect: They cannot be read, or no longer.
            Stalled: There should be more, and nothing has come for `QUIET_TIMEOUT_S`.
        """
        spans = [span for span in spans if len(span)]
        ends = {TopicPartition(span.topic, span.partition): span.end for span in spans}
        self._consumer.assign([*ends])
        for span in spans:
            self._consumer.seek(TopicPartition(span.topic, span.partition), span.start)
        progressed_at, positions = time.monotonic(), 0
        while ends:
            for at, records in (await self._poll(ends, overtaken)).items():
                yield [
                    Entry(
                        at.topic,
                        at.partition,
                        record.offset,
                        record.key,
                        record.value,
                        record.headers,
                        record.timestamp,
                    )
                    for record in records
                    if record.offset < ends[at]
                ]
            reached = {at: await self._consumer.position(at) for at in ends}
            ends = {at: end for at, end in ends.items() if reached[at] < end}
            if (total := sum(reached.values())) != positions:
                progressed_at, positions = time.monotonic(), total
            elif time.monotonic() > progressed_at + QUIET_TIMEOUT_S:
                at = next(iter(ends))
                raise Stalled(
                    f"{at.topic}/{at.partition} cannot be read from {reached[at]} to {ends[at]}: nothing has come for "
                    f"{QUIET_TIMEOUT_S:g} s; a transaction may have been left open there"
                )

    async def _poll(
        self, places: Iterable[TopicPartition], overtaken: Overtaken | None
    ) -> dict[TopicPartition, list[Entry]]:
        try:
            fetched: dict[TopicPartition, list[Entry]] = await self._consumer.getmany(
                *places, timeout_ms=POLL_TIMEOUT_MS, max_records=RUN_RECORDS_MAX
            )
        except OffsetOutOfRangeError as error:
            if overtaken is None:
                raise CannotConnect(f"retention has removed what was to be read: {describe(error)}") from error
            await self._catch_up([*error.args[0]], overtaken)
            return {}
        except KafkaError as error:
            raise CannotConnect(f"cannot read: {describe(error)}") from error
        return fetched

    async def _catch_up(self, places: Sequence[TopicPartition], overtaken: Overtaken) -> None:
        async with _answered("ask for the first offsets that are kept", self._timeout_s):
            starts = await self._consumer.beginning_offsets(places)
        for at, kept_from in starts.items():
            position = await self._consumer.position(at)
            if position < kept_from:
                self._consumer.seek(at, kept_from)
                overtaken(
                    Span(topic=at.topic, partition=at.partition, start=position, end=kept_from, kept_from=kept_from)
                )

    async def _offsets_at(self, moment_ms: int, spans: Sequence[Span]) -> list[int | None]:
        places = [TopicPartition(span.topic, span.partition) for span in spans]
        async with _answered("ask for offsets by time", self._timeout_s):
            found = await self._consumer.offsets_for_times(dict.fromkeys(places, max(0, moment_ms)))
        return [found[at] and found[at].offset for at in places]


class Standing:
    """What a group has committed."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings) -> None:
        """Ask with a client that is started; it joins no group."""
        self._consumer = consumer
        self._timeout_s = call_timeout_ms(settings) / 1000

    async def committed(self, spans: Iterable[Span]) -> dict[int, int]:
        """The group's offset for the partition of each span; those that have none are left out.

        Raises:
            CannotConnect: The group cannot be asked for.
        """
        places = [TopicPartition(span.topic, span.partition) for span in spans]
        async with _answered("ask for committed offsets", self._timeout_s):
            offsets = {at.partition: await self._consumer.committed(at) for at in places}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}


@asynccontextmanager
async def history(settings: Settings, *, unfinished: bool = False) -> AsyncIterator[History]:
    """Open a reader of what topics hold; with *unfinished*, of what transactions have not committed, too.

    Raises:
        CannotConnect: Brokers or credentials cannot be used.
    """

    def make() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **visitor_options(settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted" if unfinished else "read_committed",
            fetch_max_bytes=settings.fetch_bytes_max,
            max_partition_fetch_bytes=settings.partition_fetch_bytes_max,
        )

    consumer = await start_visitor(make, settings)
    try:
        yield History(consumer, settings)
    finally:
        await stop_client(consumer, timeout_s=STOP_TIMEOUT_S)


@asynccontextmanager
async def standing(settings: Settings, group_id: str) -> AsyncIterator[Standing]:
    """Open a look at what the group *group_id* has committed.

    Raises:
        CannotConnect: Brokers or credentials cannot be used.
    """

    def make() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(**visitor_options(settings), group_id=group_id, enable_auto_commit=False)

    consumer = await start_visitor(make, settings)
    try:
        yield Standing(consumer, settings)
    finally:
        await stop_client(consumer, timeout_s=STOP_TIMEOUT_S)


@asynccontextmanager
async def _answered(what: str, timeout_s: float, topic: str = "") -> AsyncIterator[None]:
    """Whatever goes wrong inside is told as something that cannot be done."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except UnknownTopicOrPartitionError as error:
        raise no_topic(topic) from error
    except (KafkaError, TimeoutError) as error:
        raise CannotConnect(f"cannot {what}: {describe(error)}") from error
