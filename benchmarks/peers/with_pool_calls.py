"""Plain aiokafka with a pool call and an awaited send per record, as many side by side as a poll gives."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from aiokafka import AIOKafkaProducer, ConsumerRecord

from benchmarks.peers.job import Place, answer
from benchmarks.peers.plain import Records, consume

RECORDS_MAX = 500


async def handle(place: Place, pool: ProcessPoolExecutor, producer: AIOKafkaProducer, records: Records) -> None:
    async def one(record: ConsumerRecord[bytes, bytes]) -> None:
        key, value = await asyncio.get_running_loop().run_in_executor(pool, answer, record.value)
        await producer.send_and_wait(place.result_topic, value, key=key, partition=record.partition)

    await asyncio.gather(*[one(record) for run in records.values() for record in run])


def main() -> None:
    place = Place.from_environment()
    with ProcessPoolExecutor(place.workers, mp_context=get_context("spawn")) as pool:
        asyncio.run(consume(place, partial(handle, place, pool), records_max=RECORDS_MAX))


if __name__ == "__main__":
    main()
