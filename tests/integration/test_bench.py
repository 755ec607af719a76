"""`batchsum bench`, on a broker that others use too and on one of its own."""

import io
import json
import sys
from contextlib import redirect_stdout
from typing import Any

import pytest

from config.logging import configure
from config.settings import Settings
from consumer.commands.bench import measure
from consumer.commands.bench.command import Plan, bench
from consumer.commands.bench.figures import Shape
from consumer.failures import WorkersFailing
from tests.support.brokers import Broker, Topics
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import administrator
from tests.support.command_line import CommandLine
from tests.support.kafka import produce, read, settings_for

TIMEOUT_S = 30

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
async def test_the_service_s_own_topics_are_left_alone_and_nothing_stays_behind(broker: Broker, topics: Topics) -> None:
    await produce(broker, topics.request_topic, [b"a request that waits"])
    before = set(administrator(broker.bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics)
    found = await measured(settings_for(broker, topics, delivery="exactly_once"))
    assert found["latency"]["answers"] > 0
    after = set(administrator(broker.bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics)
    assert {name for name in after - before if not name.startswith("__")} == set()
    assert [record.value() for record in await read(broker, topics.request_topic)] == [b"a request that waits"]
    assert await read(broker, topics.result_topic) == []


@pytest.mark.real_broker("it takes no admin requests")
async def test_what_fails_leaves_no_topics_behind_either(broker: Broker, topics: Topics) -> None:
    with pytest.raises(WorkersFailing):
        await measured(settings_for(broker, topics, worker_start_timeout_ms=100, worker_memory_bytes_max=1))
    after = administrator(broker.bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics
    assert [name for name in after if name.startswith("batchsum-bench-")] == []


def test_brokers_that_are_not_there_are_told_in_a_line() -> None:
    ended = CommandLine(workers="1", connect_timeout_ms="100")("bench", "--bootstrap-servers", f"{HOST}:{free_port()}")
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "Say where by --bootstrap-servers" in line


def test_people_are_shown_tables_and_without_brokers_those_of_an_embedded_one() -> None:
    elsewhere = CommandLine(workers="1", bootstrap_servers=f"{HOST}:{free_port()}")
    ended = elsewhere("bench", "--seconds", "0.5", "--lists", "1", "--integers", "2")
    assert ended.returncode == 0, ended.stderr
    headings = [line.split("\t")[0] for line in ended.stdout.splitlines()]
    assert headings[::2] == ["workers", "batches/s", "workers"]
    assert ended.stderr.startswith("The embedded broker keeps a few MB")
