"""The HTTP port of an instance that works: a process of its own, on a real broker, under load."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.brokers import Broker, Topics, fresh_topics
from tests.support.http import answers, http_settings
from tests.support.instances import instances
from tests.support.kafka import produce, settings_for
from tests.support.records import request

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAUSE_S = 0.1  # work for all partitions, and some of the processor for those who ask
SCHEMATHESIS = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def loaded_topics(broker: Broker) -> Topics:
    return fresh_topics(broker)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(broker: Broker, loaded_topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where the instance answers. Every partition is written to all the time, a bad batch among the others."""

    async def submit() -> None:
        while True:
            for partition in range(4):
                values = [*(request(str(number)) for number in range(100)), b"broken"]
                await produce(broker, loaded_topics.request_topic, values, partition=partition)
            await asyncio.sleep(PAUSE_S)

    async with instances(tmp_path_factory.mktemp("http")) as started:
        instance = started.start(settings_for(broker, loaded_topics, workers=2, **http_settings()))
        load = asyncio.create_task(submit())
        try:
            bound = await instance.logged("HTTP port bound")
            await answers(str(bound["url"]))
            yield str(bound["url"])
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
        assert await instance.stopped() == 0


@pytest.mark.timeout(600)
async def test_whatever_the_openapi_document_allows_or_forbids_is_answered_as_it_says(url: str, tmp_path: Path) -> None:
    arguments = ("--config-file", SCHEMATHESIS, "run", "--no-color", f"{url}/openapi.json")
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *arguments),
        cwd=tmp_path,
        env=os.environ | {"NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await run.communicate()
    assert run.returncode == 0, told.decode()
