"""How often a real broker writes what a producer sends it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber
from aiokafka.protocol.produce import ProduceRequest

from consumer.chunk import Encoded
from consumer.kafka.producer import Producer
from tests.support.brokers import Broker, Topics
from tests.support.kafka import read, settings_for
from tests.support.records import lone

pytestmark = pytest.mark.real_broker("it does not look at the numbers of records")


@pytest.fixture
async def producer(broker: Broker, topics: Topics) -> AsyncIterator[Producer]:
    producer = Producer(settings_for(broker, topics))
    await producer.start()
    yield producer
    await producer.stop()


def batches(*values: bytes) -> list[Encoded]:
    """Each of *values* in a batch of its own."""
    return [batch for value in values for batch in lone(value)]


async def test_a_batch_whose_answer_is_lost_is_written_once(
    broker: Broker, topics: Topics, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T35: it is sent again under the number that it had."""
    send = producer.client.send
    lost: list[Any] = []

    async def lose_the_first_answers(node: int, asked: object) -> Any:
        answer = await send(node, asked)
        if isinstance(asked, ProduceRequest) and len(lost) < 3:
            lost.append(answer)
            raise KafkaConnectionError("reset")
        return answer

    monkeypatch.setattr(producer.client, "send", lose_the_first_answers)
    await producer.append(topics.result_topic, 0, batches(b"a", b"b"))
    assert len(lost) == 3
    assert [record.value() for record in await read(broker, topics.result_topic)] == [b"a", b"b"]


async def test_the_numbers_of_records_begin_again_behind_the_last_one(
    broker: Broker, topics: Topics, producer: Producer
) -> None:
    """T36: aiokafka goes on below 0. The broker takes any number for the first one, and holds to the order from there."""
    place = TopicPartition(topics.result_topic, 0)
    producer._txn_manager.increment_sequence_number(place, 2**31 - 2)
    await producer.append(topics.result_topic, 0, batches(b"a", b"b", b"c"))
    assert producer._txn_manager.sequence_number(place) == 1
    assert [record.value() for record in await read(broker, topics.result_topic)] == [b"a", b"b", b"c"]

    producer._txn_manager.increment_sequence_number(place, 1)
    with pytest.raises(OutOfOrderSequenceNumber):
        await producer.append(topics.result_topic, 0, batches(b"d"))
