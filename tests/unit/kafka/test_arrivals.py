"""What fetches bring: told to whoever waits for that partition, and to nobody else."""

import asyncio

from aiokafka import TopicPartition

from consumer.kafka.arrivals import Arrivals

HERE, THERE = TopicPartition("requests", 0), TopicPartition("requests", 1)
LONG_S = 30.0


async def test_only_the_one_who_waits_for_that_partition_is_woken() -> None:
    arrivals = Arrivals()
    here, there = (asyncio.create_task(arrivals.wait(partition, LONG_S)) for partition in (HERE, THERE))
    await asyncio.sleep(0)
    arrivals[THERE] = "records"
    await there
    assert not here.done()
    arrivals[HERE] = OSError("or an error")
    await here


async def test_what_is_there_already_is_not_waited_for() -> None:
    arrivals = Arrivals()
    arrivals[HERE] = "records"
    await arrivals.wait(HERE, LONG_S)
    assert dict(arrivals) == {HERE: "records"}


async def test_nothing_is_waited_for_without_end() -> None:
    await Arrivals().wait(HERE, 0.0)


async def test_a_wait_that_was_given_up_keeps_nobody_from_the_next_one() -> None:
    arrivals = Arrivals()
    given_up = asyncio.create_task(arrivals.wait(HERE, LONG_S))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    again = asyncio.create_task(arrivals.wait(HERE, LONG_S))
    await asyncio.sleep(0)
    arrivals[HERE] = "records"
    await again
