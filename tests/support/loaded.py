"""An instance that works: a process of its own on a broker, under load for as long as somebody looks at it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.brokers import Broker, fresh_topics
from tests.support.http import answers, client_of, http_settings
from tests.support.instances import instances
from tests.support.kafka import produce, settings_for
from tests.support.records import request
from tests.support.waiting import POLL_S, patience

PAUSE_S = 0.1  # work for all partitions, and some of the processor for those who ask
TIMEOUT_S = 60.0

State = dict[str, Any]


@asynccontextmanager
async def loaded_instance(broker: Broker, directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its HTTP port. Each of its four partitions is written to all the time, a bad batch among the others.

    Raises:
        AssertionError: It has not ended as it should, in the end.
    """
    topics = await asyncio.to_thread(fresh_topics, broker)

    async def submit() -> None:
        while True:
            for partition in range(4):
                values = [*(request(str(number)) for number in range(100)), b"broken"]
                await produce(broker, topics.request_topic, values, partition=partition)
            await asyncio.sleep(PAUSE_S)

    async with instances(directory) as started:
        instance = started.start(settings_for(broker, topics, workers=2, **http_settings()))
        load = asyncio.create_task(submit())
        try:
            url = str((await instance.logged("HTTP port bound"))["url"])
            await answers(url)
            async with client_of(url) as client:
                await state(client, lambda told: all(lane["done_offset"] > 0 for lane in told["lanes"]))
                yield client
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
        assert await instance.stopped() == 0


async def state(client: httpx.AsyncClient, good: Callable[[State], bool]) -> State:
    """What /state tells, as soon as that is *good*."""
    async with asyncio.timeout(TIMEOUT_S * patience()):
        while True:
            told: State = (await client.get("/state")).json()
            if good(told):
                return told
            await asyncio.sleep(POLL_S)
