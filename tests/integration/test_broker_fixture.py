"""The broker that other tests rely on does what it says."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.support.brokers import (
    Broker,
    BrokerError,
    OutOfReachError,
    Topics,
    find_broker,
    fresh_topics,
)
from tests.support.brokers.embedded import EmbeddedKafka
from tests.support.brokers.jars import kafka_version
from tests.support.brokers.last_will import LastWill
from tests.support.brokers.topics import administrator, leaders
from tests.support.brokers.waiting import wait_until

TIMEOUT_S = 20


def quiet(broker: Broker, **options: str | int) -> dict[str, str | int | float]:
    return {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, **options}


def write(broker: Broker, topic: str, value: bytes, **options: str | int) -> list[KafkaError | None]:
    """Write one record to partition 0, and give back what became of it."""
    outcomes: list[KafkaError | None] = []
    producer = Producer(quiet(broker, **options))
    producer.produce(topic, value, partition=0, on_delivery=lambda error, _: outcomes.append(error))
    producer.flush(TIMEOUT_S)
    return outcomes


def read(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    """The first *count* records of partition 0."""
    consumer = Consumer(quiet(broker, **{"group.id": "reader", "auto.offset.reset": "earliest"}))
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [record.value() for record in consumer.consume(count, timeout=TIMEOUT_S)]
    finally:
        consumer.close()


def test_what_is_written_can_be_read(broker: Broker, topics: Topics) -> None:
    assert write(broker, topics.request_topic, b"hello") == [None]
    assert read(broker, topics.request_topic, 1) == [b"hello"]


def test_topics_have_leaders_from_the_start_and_nobody_else_s_names(broker: Broker, topics: Topics) -> None:
    others = fresh_topics(broker)
    assert not set(topics) & set(others)
    for name in (*topics[:3], *others[:3]):
        assert leaders(administrator(broker.bootstrap_servers), name) == 4


@pytest.mark.real_broker("it makes any topic that it is asked about, with four partitions")
def test_a_topic_is_created_as_asked_and_only_once(broker: Broker, topics: Topics) -> None:
    name = f"{topics.request_topic}-small"
    broker.create_topic(name, partitions=3, max_message_bytes="1000")
    assert leaders(administrator(broker.bootstrap_servers), name) == 3
    (error,) = write(broker, name, b"x" * 2000)
    assert error is not None
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE
    with pytest.raises(BrokerError, match="TOPIC_ALREADY_EXISTS"):
        broker.create_topic(name)


@pytest.mark.real_broker("it makes any topic that it is asked about")
def test_a_topic_that_was_not_created_is_not_there(broker: Broker) -> None:
    if broker.kind == "external":
        pytest.skip("an external broker may create topics as it likes")
    (error,) = write(broker, "nobody-created-this", b"x", **{"message.timeout.ms": 3000})
    assert error is not None


def test_records_and_address_outlast_a_stop_and_a_kill(private_broker: Broker) -> None:
    address = private_broker.bootstrap_servers
    topic = fresh_topics(private_broker).request_topic
    for value, end in ((b"first", private_broker.stop), (b"second", private_broker.kill)):
        assert write(private_broker, topic, value) == [None]
        end()
        assert not answers(private_broker)
        private_broker.start()
    assert private_broker.bootstrap_servers == address
    assert read(private_broker, topic, 2) == [b"first", b"second"]


def test_a_paused_broker_is_silent_until_it_is_resumed(private_broker: Broker) -> None:
    topic = fresh_topics(private_broker).request_topic
    private_broker.pause()
    assert not answers(private_broker)
    private_broker.resume()
    wait_until(lambda: answers(private_broker), what="the broker answers again", timeout_s=TIMEOUT_S)
    assert write(private_broker, topic, b"awake") == [None]


def test_a_broker_that_would_not_come_back_refuses_to_be_disturbed() -> None:
    embedded = EmbeddedKafka()
    for disturb in (embedded.stop, embedded.kill, embedded.pause, embedded.resume):
        with pytest.raises(OutOfReachError):
            disturb()
    embedded.close()


def answers(broker: Broker) -> bool:
    try:
        administrator(broker.bootstrap_servers).list_topics(timeout=1.5)
    except KafkaException:
        return False
    return True


def test_a_named_broker_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "example.test:9092")
    choice = find_broker()
    assert choice.kind == "external"
    assert choice.make().bootstrap_servers == "example.test:9092"


def test_without_engine_and_java_the_embedded_broker_is_left_and_the_reasons_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    choice = find_broker()
    assert choice.kind == "embedded"
    assert "no container engine answers" in choice.reason
    assert "no Java" in choice.reason


def test_compose_runs_the_same_kafka_as_the_tests() -> None:
    composed = Path(__file__).parents[2].joinpath("docker-compose.yml").read_text()
    assert f"image: ${{KAFKA_IMAGE:-apache/kafka:{kafka_version()}}}" in composed


def test_a_last_will_is_carried_out_even_after_sigkill(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with orphan(f"LastWill(['touch', {str(trace)!r}])") as parent:
        assert not trace.exists()
        parent.kill()
        wait_until(trace.exists, what="the last will was carried out", timeout_s=TIMEOUT_S)


def test_a_last_will_that_was_revoked_is_void(tmp_path: Path) -> None:
    void, carried_out = tmp_path / "void", tmp_path / "carried-out"
    with orphan(f"LastWill(['touch', {str(void)!r}]).revoke(), LastWill(['touch', {str(carried_out)!r}])") as parent:
        parent.kill()
        wait_until(carried_out.exists, what="the other last will was carried out", timeout_s=TIMEOUT_S)
    assert not void.exists()


@contextmanager
def orphan(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has run *code* and waits to be killed."""
    before = f"import sys\nfrom {LastWill.__module__} import LastWill"
    program = f"{before}\nkept = ({code},)\nprint('ready', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        yield parent
