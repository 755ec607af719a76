"""`batchsum bench`, on a broker that others use too and on one of its own."""

import asyncio
import io
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from config.logging import configure
from config.settings import Settings
from consumer.cli import app
from consumer.commands.bench import measure
from consumer.commands.bench.command import Plan, bench
from consumer.commands.bench.figures import Shape
from consumer.desk import Desk
from consumer.failures import WorkersFailing
from tests.support.brokers import Broker, Topics, waiting
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import administrator
from tests.support.command_line import CommandLine
from tests.support.kafka import produce, read, settings_for
from tests.support.waiting import wait_until

TIMEOUT_S = 60

pytestmark = pytest.mark.timeout(300)  # it measures three times, on machines that have other work too


@pytest.fixture(autouse=True)
def _hardly_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not what these tests are about."""
    monkeypatch.setattr(measure, "WARM_UP_S", 0.1)


async def measured(settings: Settings, *, target: float | None = None) -> dict[str, Any]:
    shape = Shape(lists=1, integers=2)
    plan = Plan(shape=shape, seconds=0.5, embedded=False, partitions=4, replication=1, target=target)
    configure(settings, sys.stderr)
    with redirect_stdout(io.StringIO()) as printed:
        await bench(settings, plan, as_json=True)
    figures: dict[str, Any] = json.loads(printed.getvalue())
    return figures


def own_topics(broker: Broker) -> list[str]:
    there = administrator(broker.bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics
    return sorted(name for name in there if name.startswith("batchsum-bench-"))


@pytest.fixture
def others(broker: Broker) -> Iterator[list[str]]:
    """Such topics that are somebody else's; at the end, there are no more than those."""
    before = own_topics(broker)
    yield before
    waiting.wait_until(lambda: own_topics(broker) == before, what="its own topics are gone", timeout_s=TIMEOUT_S)


def runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.real_broker("it takes no admin requests")
async def test_figures_are_those_of_the_settings_it_is_given(broker: Broker, topics: Topics) -> None:
    found = await measured(settings_for(broker, topics, workers=2), target=1e9)
    assert found["shape"] == {"lists": 1, "integers": 2}
    assert [rate["workers"] for rate in found["saturated"]] == [1, 2]
    assert all(rate["batches_per_s"] > 0 for rate in found["saturated"])
    latency, highest = found["latency"], max(rate["batches_per_s"] for rate in found["saturated"])
    assert latency["answers"] > 0
    assert 0 < latency["p50_ms"] <= latency["p99_ms"] <= latency["max_ms"]
    assert latency["batches_per_s"] <= highest / 2
    assert found["suggested"]["batches_per_s"] == 1e9
    assert found["suggested"]["instances"] >= 1e9 / highest


@pytest.mark.real_broker("it takes no admin requests")
@pytest.mark.usefixtures("others")
async def test_the_service_s_own_topics_are_left_alone_and_nothing_stays_behind(broker: Broker, topics: Topics) -> None:
    await produce(broker, topics.request_topic, [b"a request that waits"])
    found = await measured(settings_for(broker, topics, delivery="exactly_once"))
    assert found["latency"]["answers"] > 0
    assert [record.value() for record in await read(broker, topics.request_topic)] == [b"a request that waits"]
    assert await read(broker, topics.result_topic) == []


@pytest.mark.real_broker("it takes no admin requests")
@pytest.mark.usefixtures("others")
async def test_what_fails_leaves_no_topics_behind_either(
    broker: Broker, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(_desk: Desk) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(Desk, "start", start)
    with pytest.raises(WorkersFailing):
        await measured(settings_for(broker, topics))


@pytest.mark.real_broker("it takes no admin requests")
async def test_who_interrupts_it_leaves_no_topics_behind_either(broker: Broker, others: list[str]) -> None:
    command_line = CommandLine(workers="1")
    async with command_line.started("bench", "--bootstrap-servers", broker.bootstrap_servers) as measuring:
        await wait_until(lambda: len(own_topics(broker)) == len(others) + 3, timeout_s=TIMEOUT_S)
        measuring.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(measuring.wait(), TIMEOUT_S) == 130


@pytest.mark.real_broker("it takes no admin requests")
async def test_what_kills_it_ends_the_processes_that_made_the_load(broker: Broker, others: list[str]) -> None:
    command_line = CommandLine(workers="1")
    async with command_line.started("bench", "--bootstrap-servers", broker.bootstrap_servers) as measuring:
        family = psutil.Process(measuring.pid)
        await wait_until(lambda: any("spawn_main" in " ".join(child.cmdline()) for child in family.children()))
        children = family.children(recursive=True)
        measuring.kill()
        await wait_until(lambda: not any(map(runs, children)), timeout_s=TIMEOUT_S)
    admin: AdminClient = administrator(broker.bootstrap_servers)
    removals = admin.delete_topics(sorted({*own_topics(broker)} - {*others}))  # nobody was left to do it
    await asyncio.gather(*map(asyncio.wrap_future, removals.values()))


def test_brokers_that_are_not_there_are_told_in_a_line() -> None:
    ended = CommandLine(workers="1", connect_timeout_ms="100")("bench", "--bootstrap-servers", f"{HOST}:{free_port()}")
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "Say where by --bootstrap-servers" in line


def test_without_brokers_it_measures_on_one_of_its_own_and_people_are_shown_tables() -> None:
    quick = ["--seconds", "0.5", "--lists", "1", "--integers", "2", "--set", "workers=1"]
    ended = CliRunner().invoke(app, ["bench", *quick, "--set", f"bootstrap_servers={HOST}:{free_port()}"])
    assert ended.exit_code == 0, ended.stderr
    headings = [line.split("\t")[0] for line in ended.stdout.splitlines()]
    assert headings[::2] == ["workers", "batches/s", "workers"]
    assert ended.stderr.startswith("The embedded broker keeps a few MB")
