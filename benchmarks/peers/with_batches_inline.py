"""Plain aiokafka that sums inline, in its event loop, and sends a poll's answers as whole batches: no pool to pay for."""

import asyncio
from collections.abc import Sequence
from functools import partial

from aiokafka import AIOKafkaProducer, ConsumerRecord

from benchmarks.peers.job import Place, answer
from benchmarks.peers.plain import Records, consume


async def handle(place: Place, producer: AIOKafkaProducer, records: Records) -> None:
    await asyncio.gather(*[publish(place, producer, partition.partition, run) for partition, run in records.items()])


async def publish(
    place: Place, producer: AIOKafkaProducer, partition: int, run: Sequence[ConsumerRecord[bytes, bytes]]
) -> None:
    sent = []
    batch = producer.create_batch()
    for record in run:
        key, value = answer(record.value)
        while batch.append(key=key, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, place.result_topic, partition=partition))
            batch = producer.create_batch()
    sent.append(await producer.send_batch(batch, place.result_topic, partition=partition))
    await asyncio.gather(*sent)


if __name__ == "__main__":
    place = Place.from_environment()
    asyncio.run(consume(place, partial(handle, place), records_max=None))
