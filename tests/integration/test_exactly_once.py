"""Exactly once: ownership is proved by the partition's producer, and a reader of committed records sees each outcome once."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiokafka import TopicPartition
from confluent_kafka import Message

from config.settings import Settings
from consumer.chunk import Chunk
from consumer.kafka.messages import instead
from consumer.kafka.transaction import TransactionalSink
from consumer.lane import StartOver
from domain.batch import Code, Rejection
from domain.summation import reject
from tests.support.brokers import Broker, Topics, fresh_topics
from tests.support.in_process import running_service
from tests.support.kafka import committed, produce, read, settings_for
from tests.support.records import FORM, chunk_of, finished, request
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_broker("it neither fences producers nor hides what was aborted")


async def rejecting(value: bytes | None, code: Code, message: str) -> Rejection:
    return reject(value, code, message, time.time_ns())


@asynccontextmanager
async def opened_sink(settings: Settings) -> AsyncIterator[TransactionalSink]:
    place = TopicPartition(settings.request_topic, 0)
    sink = TransactionalSink(settings, place, instead=partial(instead, reject=rejecting, form=FORM), service="test")
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def chunk(settings: Settings, values: Sequence[bytes | None], *, first_offset: int = 0) -> Chunk:
    return chunk_of(values, topic=settings.request_topic, first_offset=first_offset)


def batchids(messages: Sequence[Message]) -> list[str]:
    return [json.loads(message.value() or b"")["batchid"] for message in messages]


async def test_results_dead_letters_and_offset_are_one_transaction(broker: Broker, topics: Topics) -> None:
    settings = settings_for(broker, topics)
    first = chunk(settings, [request("a"), b"not json", request("b")], first_offset=7)
    async with opened_sink(settings) as sink:
        await sink.publish([finished(first)])

    assert batchids(await read(broker, topics.result_topic)) == ["a", "b"]
    assert [letter.value() for letter in await read(broker, topics.dead_letter_topic)] == [b"not json"]
    assert await committed(broker, topics) == 10


async def test_the_next_owner_fences_the_one_before(broker: Broker, topics: Topics) -> None:
    settings = settings_for(broker, topics)
    first, second = chunk(settings, [request("a")]), chunk(settings, [request("zombie")], first_offset=1)
    async with opened_sink(settings) as zombie:
        await zombie.publish([finished(first)])
        async with opened_sink(settings) as owner:
            with pytest.raises(StartOver):
                await zombie.publish([finished(second)])
            await owner.publish([finished(second)])

    assert batchids(await read(broker, topics.result_topic)) == ["a", "zombie"]
    assert await committed(broker, topics) == 2


async def test_what_a_zombie_had_begun_is_never_seen(broker: Broker, topics: Topics) -> None:
    settings = settings_for(broker, topics)
    first = chunk(settings, [request("half done")])
    async with opened_sink(settings) as zombie:
        producer = zombie._started_producer()
        await producer.begin_transaction()
        await zombie._send(producer, finished(first))
        await producer.send_offsets_to_transaction({zombie._partition: 1}, settings.group_id)
        async with opened_sink(settings):
            assert await read(broker, topics.result_topic) == []
            assert await committed(broker, topics) is None


@pytest.mark.parametrize("fits", [True, False], ids=["alone it fits", "alone it is too large"])
async def test_what_the_result_topic_refuses_is_told_in_its_place(broker: Broker, topics: Topics, fits: bool) -> None:
    limits = 1_500 if fits else 900
    topics = fresh_topics(broker)
    small = fresh_topics(broker)
    broker.create_topic(f"{small.result_topic}-small", partitions=4, max_message_bytes=str(limits))
    settings = settings_for(broker, topics, result_topic=f"{small.result_topic}-small")
    values = [request("a"), request("large", [[10**700]]), request("b")]
    before, behind = chunk(settings, [request("first")]), chunk(settings, [request("last")], first_offset=7)
    together = chunk(settings, [*values, *values], first_offset=1)
    async with opened_sink(settings) as sink:
        await sink.publish([finished(before), finished(together), finished(behind)])

    messages = await read(broker, settings.result_topic)
    statuses = [json.loads(message.value() or b"")["status"] for message in messages]
    assert batchids(messages) == ["first", *["a", "large", "b"] * 2, "last"]
    assert statuses == ["complete", *["complete", "complete" if fits else "failed", "complete"] * 2, "complete"]
    letters = await read(broker, topics.dead_letter_topic)
    assert [letter.value() for letter in letters] == ([] if fits else [values[1]] * 2)
    assert await committed(broker, topics) == 8


async def test_an_instance_whose_producer_was_fenced_starts_over_at_the_committed_offset(
    broker: Broker, topics: Topics
) -> None:
    settings = settings_for(broker, topics, delivery="exactly_once")
    await produce(broker, topics.request_topic, [request(str(number)) for number in range(10)])
    async with running_service(settings) as service:
        await wait_until(lambda: service.report.batches == 10)
        async with opened_sink(settings):
            await produce(broker, topics.request_topic, [request(str(number)) for number in range(10, 20)])
            await wait_until(lambda: service.report.batches == 20)

    assert batchids(await read(broker, topics.result_topic)) == [str(number) for number in range(20)]
    assert await committed(broker, topics) == 20
