"""A running instance tells what it is doing, also when a worker hangs."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.support.brokers import Broker, Topics
from tests.support.http import answers, client_of, http_settings
from tests.support.instances import instances
from tests.support.kafka import produce, settings_for
from tests.support.records import request
from tests.support.waiting import wait_until

TIMEOUT_S = 60.0


async def why(url: str, *arguments: str) -> str:
    """What the command prints for the instance at *url*."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumer", "why", "--url", url, *arguments), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await command.communicate()
    assert command.returncode == 0
    return printed.decode()


async def told_by(client: httpx.AsyncClient, good: Callable[[dict[str, Any]], bool]) -> None:
    """Return when what the instance tells is *good*."""
    async with asyncio.timeout(TIMEOUT_S):
        while not good((await client.get("/why", headers={"Accept": "application/json"})).json()):
            await asyncio.sleep(0.1)


async def test_a_worker_that_hangs_is_told_with_its_records_and_its_stack(
    broker: Broker, topics: Topics, tmp_path: Path
) -> None:
    await produce(broker, topics.request_topic, [request("good") for _ in range(5)], partition=2)
    settings = settings_for(broker, topics, chunk_timeout_ms=300_000, workers=2, **http_settings())
    async with instances(tmp_path) as started:
        instance = await started.start(settings, faulty=True).ready()
        url = str((await instance.logged("HTTP port bound"))["url"])
        await answers(url)
        async with client_of(url) as client:
            await told_by(client, lambda told: [lane["done_offset"] for lane in told["lanes"]] == [0, 0, 5, 0])
            await produce(broker, topics.request_topic, [request("hang")], partition=2)
            await told_by(client, lambda told: any(worker["at"] for worker in told["workers"]))
        text = await why(url)
        told = json.loads(await why(url, "--json"))

    assert "    5-5 computing for " in text
    (busy,) = [worker for worker in told["workers"] if worker["at"] == "2/5-5"]
    assert told["worker_stacks"][str(busy["pid"])][0].endswith("in _misbehave")
    (idle,) = [worker for worker in told["workers"] if worker["at"] is None]
    assert told["worker_stacks"][str(idle["pid"])]
    assert {lane["partition"]: lane["done_offset"] for lane in told["lanes"]} == {0: 0, 1: 0, 2: 5, 3: 0}
    assert any("Lane" in frame for task in told["tasks"] for frame in task["frames"])


async def test_a_signal_makes_an_instance_tell_the_same_and_go_on(
    broker: Broker, topics: Topics, tmp_path: Path
) -> None:
    async with instances(tmp_path) as started:
        instance = await started.start(settings_for(broker, topics)).ready()
        (worker,) = instance.workers()
        instance.signal(signal.SIGUSR1)
        await wait_until(lambda: "\nthread MainThread\n" in instance.log_file.read_text())
        told = instance.log_file.read_text()
        await produce(broker, topics.request_topic, [request("after")])

        assert await instance.stopped() == 0

    assert "Current thread" in told, "the threads come first, at once"
    assert f"\nworker {worker.pid}: idle\n" in told
    assert "\nlane 3: 0 behind" in told
