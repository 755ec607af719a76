"""A cluster of three nodes as processes: what the tests of moving leaders and lost brokers stand on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.brokers import ApacheKafka
from tests.support.brokers.topics import administrator
from tests.support.brokers.waiting import wait_until

TIMEOUT_S = 30


@pytest.fixture(scope="module")
def cluster(java_and_its_jars: None) -> Iterator[ApacheKafka]:
    with ApacheKafka(nodes=3, heap_megabytes=256) as kafka:
        yield kafka


def leader(kafka: ApacheKafka, topic: str) -> int:
    return int(administrator(kafka.bootstrap_servers).list_topics(topic, timeout=5).topics[topic].partitions[0].leader)


def test_a_leader_that_is_killed_is_replaced_and_can_return(cluster: ApacheKafka) -> None:
    cluster.create_topic("moving", partitions=1)
    first = leader(cluster, "moving")
    cluster.nodes[first - 1].kill()
    wait_until(lambda: leader(cluster, "moving") not in {first, -1}, what="another node leads", timeout_s=TIMEOUT_S)
    cluster.nodes[first - 1].start()
    assert cluster.nodes[first - 1].is_running


def test_a_leader_that_stops_hands_over_and_can_return(cluster: ApacheKafka) -> None:
    cluster.create_topic("handed-over", partitions=1)
    first = leader(cluster, "handed-over")
    cluster.nodes[first - 1].stop()
    assert not cluster.nodes[first - 1].is_running
    wait_until(lambda: leader(cluster, "handed-over") not in {first, -1}, what="another leads", timeout_s=TIMEOUT_S)
    cluster.nodes[first - 1].start()


OWNER = """
from tests.support.brokers import ApacheKafka
import pathlib, sys
kafka = ApacheKafka(heap_megabytes=256)
kafka.start()
print(kafka.directory, kafka.nodes[0].process_id, flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("java_and_its_jars")
def test_no_broker_outlives_its_owner_even_after_sigkill() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        directory, process_id = owner.stdout.readline().split()
        assert is_alive(process_id)
        owner.kill()
    wait_until(lambda: not is_alive(process_id), what="the broker has ended", timeout_s=TIMEOUT_S)
    wait_until(lambda: not Path(directory).exists(), what="its data is gone", timeout_s=TIMEOUT_S)


def is_alive(process_id: str) -> bool:
    listing = subprocess.run(["ps", "-o", "stat=", "-p", process_id], capture_output=True, text=True, check=False)
    return listing.stdout.strip()[:1] not in {"", "Z"}
