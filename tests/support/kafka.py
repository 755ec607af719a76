"""Topics as a stranger sees them: written and read by a client that is not the service's own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psutil
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from config.settings import Settings
from tests.support.brokers import Broker, Topics
from tests.support.waiting import wait_until

TIMEOUT_S = 20.0
READ_WAIT_S = 0.05
LEFT_TIMEOUT_S = 3.0

T = TypeVar("T")


def settings_for(broker: Broker, topics: Topics, **others: object) -> Settings:
    """Settings of an instance on *topics* that notices what happens around it within seconds."""
    quick: dict[str, object] = {
        "bootstrap_servers": broker.bootstrap_servers,
        **topics._asdict(),
        "session_timeout_ms": 6_000,
        "heartbeat_interval_ms": 200,
        "rebalance_timeout_ms": 20_000,
        "drain_timeout_ms": 5_000,
        "request_timeout_ms": 25_000,
        "connect_timeout_ms": 20_000,
        "metadata_max_age_ms": 1_000,
        "workers": 1,
    }
    return Settings.model_validate(quick | others)


async def produce(
    broker: Broker,
    topic: str,
    values: Iterable[bytes | None],
    *,
    partition: int = 0,
    headers: Sequence[tuple[str, bytes]] = (),
    age_s: float = 0,
) -> None:
    """Write *values* to one partition of *topic*, in order, with the same *headers* and as if they were that old.

    It returns when they are there.
    """
    made_at_ms = round(1000 * (time.time() - age_s))
    each = {"partition": partition, "headers": list(headers), "timestamp": made_at_ms}
    await asyncio.to_thread(_produce, broker, topic, list(values), each)


def _produce(broker: Broker, topic: str, values: Sequence[bytes | None], each: dict[str, Any]) -> None:
    errors: list[KafkaError] = []
    producer = Producer(_options(broker) | {"enable.idempotence": True})
    for value in values:
        producer.produce(
            topic,
            value,
            **each,
            on_delivery=lambda error, _: errors.append(error) if error else None,
        )
    unsent = producer.flush(TIMEOUT_S)
    assert not unsent
    assert not errors, errors


async def read(broker: Broker, topic: str, *, partition: int = 0) -> list[Message]:
    """All records that one partition of *topic* has at this moment, in order."""
    return await _asked(broker, "reader", lambda consumer: _read(consumer, topic, partition))


def _read(consumer: Consumer, topic: str, partition: int) -> list[Message]:
    """Up to the end, which only the broker knows: a transaction's marker takes an offset too, but is no record."""
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    records: list[Message] = []
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        for message in consumer.consume(10_000, timeout=READ_WAIT_S):  # waits that long, whatever there is
            if (error := message.error()) is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                return records
            else:
                raise KafkaException(error)
    raise TimeoutError(f"{topic}/{partition} was not read to its end within {TIMEOUT_S} s")


async def committed(broker: Broker, topics: Topics, *, partition: int = 0) -> int | None:
    """The offset that the group has committed for one partition of the request topic; None if there is none."""
    place = TopicPartition(topics.request_topic, partition)
    (answer,) = await _asked(broker, topics.group_id, lambda consumer: consumer.committed([place], timeout=TIMEOUT_S))
    return None if answer.offset < 0 else int(answer.offset)


async def commit(broker: Broker, topics: Topics, offset: int, *, partition: int = 0) -> None:
    """Commit *offset* on behalf of the group, which must have no members."""
    place = TopicPartition(topics.request_topic, partition, offset)
    await _asked(broker, topics.group_id, lambda consumer: consumer.commit(offsets=[place], asynchronous=False))


async def _asked(broker: Broker, group_id: str, question: Callable[[Consumer], T]) -> T:
    """The answer of a consumer that joins no group: it only speaks in a group's name."""

    def ask() -> T:
        options = {"group.id": group_id, "enable.auto.commit": False, "enable.partition.eof": True}
        consumer = Consumer(_options(broker) | options | {"fetch.wait.max.ms": 10})
        try:
            return question(consumer)
        finally:
            consumer.close()

    return await asyncio.to_thread(ask)


def _options(broker: Broker) -> dict[str, object]:
    return {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "error_cb": lambda _: None}


@asynccontextmanager
async def nothing_left_behind() -> AsyncIterator[None]:
    """Whatever runs inside ends all its tasks and closes all its sockets; at the end, or a moment later."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    yield
    try:
        await wait_until(lambda: asyncio.all_tasks() <= tasks and open_sockets() <= sockets, timeout_s=LEFT_TIMEOUT_S)
    except TimeoutError:
        left = [*(asyncio.all_tasks() - tasks), *(open_sockets() - sockets)]
        raise AssertionError(f"left behind: {left}") from None


def open_sockets(process_id: int | None = None) -> set[tuple[object, object]]:
    """The TCP sockets of a process (this one, if none is named), each by its two ends."""
    connections = psutil.Process(process_id).net_connections("tcp")
    return {(connection.laddr, connection.raddr) for connection in connections if connection.fd != -1}
