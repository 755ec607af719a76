"""`batchsum bench`, on a broker that others use too and on one of its own."""

import json

import pytest

from tests.support.brokers import Broker, Topics
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import administrator
from tests.support.command_line import CommandLine
from tests.support.kafka import produce, read

TIMEOUT_S = 30
QUICK = ("--seconds", "0.5", "--lists", "1", "--integers", "2")


def figures(stdout: str) -> dict[str, object]:
    (line,) = stdout.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def test_without_brokers_it_measures_on_one_of_its_own() -> None:
    ended = CommandLine(workers="1", bootstrap_servers=f"{HOST}:{free_port()}")("bench", *QUICK)
    assert ended.returncode == 0, ended.stderr
    headings = [line.split("\t")[0] for line in ended.stdout.splitlines()]
    assert headings[::2] == ["workers", "batches/s", "workers"]
    assert ended.stderr.startswith("The embedded broker keeps a few MB")


@pytest.mark.real_broker("it takes no admin requests")
def test_figures_are_those_of_the_settings_it_is_given(broker: Broker) -> None:
    servers = ("--bootstrap-servers", broker.bootstrap_servers)
    ended = CommandLine(workers="2", delivery="exactly_once")("bench", *QUICK, *servers, "--json", "--target", "1e9")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["shape"] == {"lists": 1, "integers": 2}
    assert [rate["workers"] for rate in found["saturated"]] == [1, 2]
    assert all(rate["batches_per_s"] > 0 for rate in found["saturated"])
    latency = found["latency"]
    assert latency["answers"] > 0
    assert 0 < latency["p50_ms"] <= latency["p99_ms"] <= latency["max_ms"]
    highest = max(rate["batches_per_s"] for rate in found["saturated"])
    assert latency["batches_per_s"] <= highest / 2
    assert found["suggested"]["batches_per_s"] == 1e9
    assert found["suggested"]["instances"] >= 1e9 / highest


@pytest.mark.real_broker("it takes no admin requests")
async def test_the_service_s_own_topics_are_left_alone_and_nothing_stays_behind(broker: Broker, topics: Topics) -> None:
    await produce(broker, topics.request_topic, [b"a request that waits"])
    before = set(administrator(broker.bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics)
    batchsum = CommandLine(workers="1", **topics._asdict())
    ended = await batchsum.run("bench", *QUICK, "--bootstrap-servers", broker.bootstrap_servers)
    assert ended.returncode == 0, ended.stderr
    after = set(administrator(broker.bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics)
    assert {name for name in after - before if not name.startswith("__")} == set()
    assert [record.value() for record in await read(broker, topics.request_topic)] == [b"a request that waits"]
    assert await read(broker, topics.result_topic) == []


def test_brokers_that_are_not_there_are_told_in_a_line() -> None:
    ended = CommandLine(workers="1", connect_timeout_ms="100")("bench", "--bootstrap-servers", f"{HOST}:{free_port()}")
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "Say where by --bootstrap-servers" in line


def test_workers_that_cannot_start_are_told() -> None:
    ended = CommandLine(workers="1", worker_start_timeout_ms="100")("bench", *QUICK)
    assert ended.returncode == 4
    assert "the workers cannot be started" in ended.stderr
