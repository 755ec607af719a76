"""The load of the benchmark, as it stands in the log."""

import pytest

from benchmarks.broker import PARTITIONS
from benchmarks.load import Load, sender
from benchmarks.profiles import PROFILES
from tests.support.brokers import Broker, fresh_topics
from tests.support.kafka import read


@pytest.mark.parametrize(("profile", "per_tick"), [("small", 2.5), ("medium", 250.0)])
async def test_a_load_is_sent_whole_and_in_bursts_to_one_partition_after_the_other(
    broker: Broker, profile: str, per_tick: float
) -> None:
    """250 medium batches have more bytes than a record batch may."""
    load = Load(profile, batches=1_000, per_tick=per_tick, first=7)
    topic = fresh_topics(broker, partitions=PARTITIONS).request_topic
    with sender(broker.bootstrap_servers, topic) as send:
        assert len(send(load).costs_s) == 1_000 / per_tick
    for partition in range(PARTITIONS):
        expected = [number for number in load.numbers if load.tick(number) % PARTITIONS == partition]
        there = [record.value() for record in await read(broker, topic, partition=partition)]
        assert there == [PROFILES[profile].request(number) for number in expected]
