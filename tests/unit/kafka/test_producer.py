"""What a producer sends to its brokers, when, and how often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
)
from structlog.testing import capture_logs

from config.settings import Settings
from consumer.chunk import Encoded
from consumer.kafka import producer as module
from consumer.kafka.client import stop_client
from consumer.kafka.producer import Producer, packing
from consumer.wire.layout import HEADER_BYTES
from consumer.wire.packing import encode
from tests.support.waiting import wait_until

SETTINGS = Settings()
TOPIC = "results"
NUMBER = slice(HEADER_BYTES - 8, HEADER_BYTES - 4)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_WAIT_S", 0.001)


class FakeBrokers:
    """The client of a producer, and the brokers that it can send to. They answer once `gate` is open, as `script` says.

    Of each request, `received` has the broker, and the number of the first record for each partition. An error in the
    script that a broker would tell goes for all partitions of a request; another one is raised.
    """

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.leaders = {TopicPartition(TOPIC, partition): partition % 2 for partition in range(8)}
        self.received: list[tuple[int, dict[int, int]]] = []
        self.metadata_updates = 0
        self.closed = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.cluster = SimpleNamespace(leader_for_partition=self.leaders.get)

    async def _wait_on_metadata(self, topic: str) -> set[int]:
        return {place.partition for place in self.leaders if place.topic == topic}

    def force_metadata_update(self) -> None:
        self.metadata_updates += 1

    async def send(self, node: int, request: Any) -> Any:
        ((topic, partitions),) = request._topics
        numbers = {partition: int.from_bytes(header[NUMBER]) for partition, (header, _) in partitions}
        assert len(numbers) == len(partitions), "a request has one batch of a partition"
        self.received.append((node, numbers))
        await self.gate.wait()
        error = self.script.pop(0) if self.script else None
        code = getattr(error, "errno", 0)
        if error is not None and not code:
            raise error
        return SimpleNamespace(topics=[(topic, [(partition, code, 0) for partition in numbers])])

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def producing(brokers: FakeBrokers) -> AsyncIterator[Producer]:
    producer = Producer(SETTINGS)
    producer.client = brokers
    yield producer
    await producer.stop()


def batch(records: int = 1) -> list[Encoded]:
    """So many records in one batch."""
    return encode([(None, b"a", [], None)] * records, packing(SETTINGS))


async def test_records_are_numbered_by_partition() -> None:
    brokers = FakeBrokers()
    async with producing(brokers) as producer:
        await producer.append(TOPIC, 0, batch(3) + batch(2))
        await producer.append(TOPIC, 2, batch(7))
        await producer.append(TOPIC, 8, batch())  # it has eight
    assert brokers.received == [(0, {0: 0}), (0, {0: 3}), (0, {2: 0}), (0, {0: 5})]


async def test_what_comes_while_a_request_is_on_its_way_leaves_together_in_the_next() -> None:
    """T35: a broker answers the requests of a connection one by one."""
    brokers = FakeBrokers()
    brokers.gate.clear()
    async with producing(brokers) as producer:
        appending = [asyncio.create_task(producer.append(TOPIC, 0, batch()))]
        await wait_until(lambda: brokers.received)
        appending += [asyncio.create_task(producer.append(TOPIC, partition, batch())) for partition in (2, 4, 1, 6)]
        await wait_until(lambda: len(brokers.received) == 2)  # nothing was on its way to the broker of partition 1
        brokers.gate.set()
        await asyncio.gather(*appending)
    assert brokers.received == [(0, {0: 0}), (1, {1: 0}), (0, {2: 0, 4: 0, 6: 0})]


@pytest.mark.parametrize(
    "trouble", [KafkaConnectionError("reset"), NotEnoughReplicasError(), NotLeaderForPartitionError()]
)
async def test_what_may_work_the_next_time_is_sent_again_under_its_number(trouble: Exception) -> None:
    brokers = FakeBrokers(trouble, trouble)
    async with producing(brokers) as producer:
        with capture_logs() as logs:
            await producer.append(TOPIC, 0, batch(3) + batch())
    assert brokers.received == [(0, {0: 0})] * 3 + [(0, {0: 3})]
    assert brokers.metadata_updates == 2
    assert [line["event"] for line in logs] == ["batch not taken, trying again"]


async def test_a_batch_follows_its_partition_to_another_broker() -> None:
    brokers = FakeBrokers(NotLeaderForPartitionError())
    place = TopicPartition(TOPIC, 0)

    async with producing(brokers) as producer:
        brokers.gate.clear()
        appending = asyncio.create_task(producer.append(TOPIC, 0, batch()))
        await wait_until(lambda: brokers.received)
        brokers.leaders[place] = -1
        brokers.gate.set()
        await wait_until(lambda: brokers.metadata_updates > 2)
        brokers.leaders[place] = 1
        await appending
    assert brokers.received == [(0, {0: 0}), (1, {0: 0})]


async def test_a_batch_that_had_arrived_is_not_written_twice() -> None:
    brokers = FakeBrokers(KafkaConnectionError("reset"), DuplicateSequenceNumber())
    async with producing(brokers) as producer:
        await producer.append(TOPIC, 0, batch())
    assert len(brokers.received) == 2


@pytest.mark.parametrize("refusal", [MessageSizeTooLargeError(), OutOfOrderSequenceNumber()])
async def test_what_will_never_work_is_told_to_each_who_waits(refusal: Exception) -> None:
    brokers = FakeBrokers(refusal)
    async with producing(brokers) as producer:
        outcomes = await asyncio.gather(
            *(producer.append(TOPIC, partition, batch()) for partition in (0, 2)), return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [type(refusal)] * 2
    assert outcomes[0] is not outcomes[1]
    assert len(brokers.received) == 1


async def test_an_error_that_is_not_kafkas_own_is_told_too() -> None:
    """T19: a task that has ended by it would send nothing any more, and tell nobody."""
    brokers = FakeBrokers(RuntimeError("the handler is closed"))
    async with producing(brokers) as producer:
        with pytest.raises(KafkaError, match="the handler is closed"):
            await producer.append(TOPIC, 0, batch())
        await producer.append(TOPIC, 2, batch())


async def test_a_batch_that_is_given_up_before_it_has_left_leaves_no_hole() -> None:
    """T14: a number that is never sent has the broker refuse all behind it."""
    brokers = FakeBrokers()
    brokers.gate.clear()
    async with producing(brokers) as producer:
        first = asyncio.create_task(producer.append(TOPIC, 0, batch()))
        await wait_until(lambda: brokers.received)
        given_up = asyncio.create_task(producer.append(TOPIC, 2, batch(3)))
        await wait_until(producer._turns[TopicPartition(TOPIC, 2)].locked)
        given_up.cancel()
        await asyncio.wait([given_up])
        brokers.gate.set()
        await first
        await producer.append(TOPIC, 2, batch())
    assert brokers.received == [(0, {0: 0}), (0, {2: 0})]


async def test_a_batch_that_is_given_up_on_its_way_keeps_its_number() -> None:
    brokers = FakeBrokers()
    brokers.gate.clear()
    async with producing(brokers) as producer:
        given_up = asyncio.create_task(producer.append(TOPIC, 0, batch(3)))
        await wait_until(lambda: brokers.received)
        given_up.cancel()
        await asyncio.wait([given_up])
        brokers.gate.set()
        await producer.append(TOPIC, 0, batch())
    assert brokers.received == [(0, {0: 0}), (0, {0: 3})]


async def test_only_one_batch_of_a_partition_is_on_its_way() -> None:
    """T16: aiokafka lets the second one time out long before its time."""
    brokers = FakeBrokers()
    brokers.gate.clear()
    async with producing(brokers) as producer:
        appending = [asyncio.create_task(producer.append(TOPIC, 8 * lane, batch())) for lane in range(3)]
        await wait_until(lambda: brokers.received)
        brokers.gate.set()
        await asyncio.gather(*appending)
    assert brokers.received == [(0, {0: number}) for number in range(3)]


async def test_behind_the_last_number_comes_the_first() -> None:
    """T36: aiokafka goes on below 0, which the brokers refuse for ever."""
    brokers = FakeBrokers()
    async with producing(brokers) as producer:
        producer._txn_manager.increment_sequence_number(TopicPartition(TOPIC, 0), 2**31 - 2)
        for records in (1, 3, 1):
            await producer.append(TOPIC, 0, batch(records))
    assert brokers.received == [(0, {0: 2**31 - 2}), (0, {0: 2**31 - 1}), (0, {0: 2})]


async def test_a_stop_waits_for_what_is_on_its_way_and_takes_nothing_more() -> None:
    brokers = FakeBrokers(KafkaConnectionError("reset"))
    brokers.gate.clear()
    producer = Producer(SETTINGS)
    producer.client = brokers
    appending = asyncio.create_task(producer.append(TOPIC, 0, batch()))
    await wait_until(lambda: brokers.received)
    stopping = asyncio.create_task(producer.stop())
    await asyncio.sleep(0)
    with pytest.raises(ProducerClosed):
        await producer.append(TOPIC, 2, batch())
    assert not brokers.closed
    brokers.gate.set()
    await appending
    await stopping
    assert brokers.received == [(0, {0: 0})] * 2
    assert brokers.closed


async def test_a_stop_that_is_given_up_ends_what_is_on_its_way() -> None:
    """T18: nothing is sent by a client whose connections have been closed; it would make new ones."""
    brokers = FakeBrokers()
    brokers.gate.clear()
    producer = Producer(SETTINGS)
    producer.client = brokers
    appending = [asyncio.create_task(producer.append(TOPIC, partition, batch())) for partition in (0, 2)]
    await wait_until(lambda: brokers.received)
    await stop_client(producer, timeout_s=0.01)
    for outcome in await asyncio.gather(*appending, return_exceptions=True):
        assert isinstance(outcome, KafkaError)
    assert brokers.closed
    assert len(brokers.received) == 1


async def test_a_stop_that_is_given_up_ends_those_who_try_again() -> None:
    """T18: whoever waits for an answer of such a client waits in vain."""
    brokers = FakeBrokers()
    brokers.leaders[TopicPartition(TOPIC, 0)] = -1
    producer = Producer(SETTINGS)
    producer.client = brokers
    appending = asyncio.create_task(producer.append(TOPIC, 0, batch()))
    await wait_until(lambda: brokers.metadata_updates)
    await stop_client(producer, timeout_s=0.01)
    with pytest.raises(ProducerClosed):
        await asyncio.wait_for(appending, 5)
    assert brokers.received == []


async def test_the_producer_is_made_to_lose_nothing_and_to_wait_for_nothing() -> None:
    """T15: batches are our own affair."""
    producer = Producer(SETTINGS)
    try:
        assert producer._sender._acks == -1
        assert producer._txn_manager is not None  # idempotent
        assert producer._message_accumulator._linger_time == 0
    finally:
        await producer.stop()
