"""What the plain peers share: aiokafka's clients, and a loop that commits what has been answered."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from benchmarks.peers.job import PUBLISH_BATCH_BYTES_MAX, Place

POLL_TIMEOUT_MS = 200

Records = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]
Handle = Callable[[AIOKafkaProducer, Records], Awaitable[None]]


async def consume(place: Place, handle: Handle, *, records_max: int | None) -> None:
    """Hand what a poll gives to `handle`, and commit it when that returns; until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = AIOKafkaConsumer(
        place.request_topic,
        bootstrap_servers=place.bootstrap_servers,
        group_id=place.group_id,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=place.bootstrap_servers, acks="all", max_batch_size=PUBLISH_BATCH_BYTES_MAX
    )
    async with producer, consumer:
        while not stop.is_set():
            records = await consumer.getmany(timeout_ms=POLL_TIMEOUT_MS, max_records=records_max)
            if records:
                await handle(producer, records)
                with suppress(CommitFailedError):  # it is another's by now, who does it again
                    await consumer.commit()
