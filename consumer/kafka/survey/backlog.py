"""What waits in the request topic, and for how long; read without the group, of which it only asks the offsets."""

import asyncio
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka.client import connection_options, start_client, stop_client
from consumer.kafka.survey.addresses import ANSWER_TIMEOUT_MS

LOOK_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
POLL_TIMEOUT_MS = 500
OLDEST_TIMEOUT_S = 5.0  # markers are never polled, so there may be nothing to come
CLOCK_TOLERANCE_MS = 5_000

UNREADABLE = (KafkaError, TimeoutError, CannotConnect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Requests that are not done; times are by the clock of this machine.

    `lost` were deleted before they were read. `future_ms` is how far ahead of this machine the newest record is that
    is ahead at all.
    """

    waiting: int
    lost: int
    oldest_ms: int
    future_ms: int


async def backlog(settings: Settings, partitions: int, *, has_groups: bool) -> Backlog:
    """Look at what the group has before it: all there is, where no group has done anything.

    Raises:
        KafkaError, TimeoutError, CannotConnect: It cannot be read.
    """
    options = connection_options(settings) | {"request_timeout_ms": ANSWER_TIMEOUT_MS}
    places = [TopicPartition(settings.request_topic, partition) for partition in range(partitions)]

    def make() -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **options,
            group_id=settings.group_id
            if has_groups
            else None,  # by whose name offsets are asked; with `assign`, nothing is joined
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=1_024,  # the first batch is told whatever its size, and one is enough
        )
        consumer.assign(places)
        return consumer

    consumer = await start_client(make, timeout_ms=ANSWER_TIMEOUT_MS)
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            return await _look(consumer, places, has_groups=has_groups)
    finally:
        await stop_client(consumer, timeout_s=STOP_TIMEOUT_S)


async def _look(consumer: AIOKafkaConsumer, places: list[TopicPartition], *, has_groups: bool) -> Backlog:
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    committed = {place: await consumer.committed(place) if has_groups else None for place in places}
    begins = {place: max(starts[place], committed[place] or 0) for place in places}
    behind = [place for place in places if begins[place] < ends[place]]
    now_ms = int(time.time() * 1000)
    oldest_ms = await _oldest_ms(consumer, {place: begins[place] for place in behind})
    return Backlog(
        waiting=sum(ends[place] - begins[place] for place in behind),
        lost=sum(max(0, starts[place] - at) for place, at in committed.items() if at is not None),
        oldest_ms=max(0, now_ms - oldest_ms) if oldest_ms is not None else 0,
        future_ms=await _future_ms(consumer, places, now_ms),
    )


async def _oldest_ms(consumer: AIOKafkaConsumer, begins: dict[TopicPartition, int]) -> int | None:
    """The timestamp of the oldest record at *begins*; None if there is nothing, or only a transaction's markers."""
    oldest: list[int] = []
    for place, begin in begins.items():
        consumer.seek(place, begin)
    missing, deadline = set(begins), time.monotonic() + OLDEST_TIMEOUT_S
    while missing and time.monotonic() < deadline:  # an empty poll says nothing: the first fetch may be on its way
        polled = await consumer.getmany(*missing, timeout_ms=POLL_TIMEOUT_MS)
        oldest += [records[0].timestamp for records in polled.values()]
        missing -= set(polled)
    return min(oldest, default=None)


async def _future_ms(consumer: AIOKafkaConsumer, places: list[TopicPartition], now_ms: int) -> int:
    """How far ahead of *now_ms* the first record is that was stamped later; 0 if there is none."""
    found = await consumer.offsets_for_times(dict.fromkeys(places, now_ms + CLOCK_TOLERANCE_MS))
    return max((place.timestamp - now_ms for place in found.values() if place is not None), default=0)
