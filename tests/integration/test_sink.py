"""T14: a topic that refuses a batch costs one answer its place at most, and no other answer anything."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from confluent_kafka import Message as Read

from consumer.kafka.messages import instead
from consumer.kafka.publisher import Publisher
from consumer.kafka.sink import Sink
from domain import summation
from domain.batch import Code, Rejection
from tests.support.brokers import Broker, Topics
from tests.support.kafka import nothing_left_behind, read, settings_for
from tests.support.records import FORM, chunk_of, finished, request

pytestmark = pytest.mark.real_broker("it has no limit for the size of a batch")

BYTES_MAX = 1_200


@pytest.fixture
def small(broker: Broker, topics: Topics) -> Topics:
    """Topics of which the one for results takes no more than 1,200 bytes at once."""
    name = f"{topics.result_topic}-small"
    broker.create_topic(name, partitions=1, max_message_bytes=str(BYTES_MAX))
    return topics._replace(result_topic=name)


async def reject(value: bytes | None, code: Code, message: str) -> Rejection:
    return summation.reject(value, code, message, time.time_ns())


class Outlet:
    """A sink with two producers of its own."""

    def __init__(self, broker: Broker, topics: Topics, *, reply_to_failed: bool) -> None:
        settings = settings_for(broker, topics, publish_timeout_ms=10_000, outage_timeout_ms=15_000)
        self._form = FORM._replace(reply_to_failed=reply_to_failed)
        self.results = Publisher(settings, settings.result_topic, holds_too_large=False)
        self.dead_letters = Publisher(settings, settings.dead_letter_topic, holds_too_large=True)
        self._sink = Sink(
            results=self.results,
            dead_letters=self.dead_letters,
            instead=partial(instead, reject=reject, form=self._form),
            packing=self._form.packing,
            service="test 0",
        )
        self._next_offset = 0

    async def publish(self, values: Sequence[bytes | None]) -> None:
        """Process *values*, and publish what came of them."""
        chunk = chunk_of(values, first_offset=self._next_offset)
        self._next_offset = chunk.next_offset
        await self._sink.publish([finished(chunk, self._form)])


@asynccontextmanager
async def outlet(broker: Broker, topics: Topics, *, reply_to_failed: bool = True) -> AsyncIterator[Outlet]:
    opened = Outlet(broker, topics, reply_to_failed=reply_to_failed)
    async with nothing_left_behind():
        await opened.results.start()
        await opened.dead_letters.start()
        try:
            yield opened
        finally:
            await opened.results.stop()
            await opened.dead_letters.stop()


def batch(batchid: str, *, answer_bytes: int = 0) -> bytes:
    """A request whose answer has about this many bytes more than the least."""
    return request(batchid, [[10**answer_bytes]] if answer_bytes else [])


def statuses(records: Sequence[Read]) -> list[tuple[str, str]]:
    """Batchid and status of each answer, in order, without those that stand there a second time."""
    answers = [json.loads(record.value() or b"null") for record in records]
    return list(dict.fromkeys((answer["batchid"], answer["status"]) for answer in answers))


def reasons(records: Sequence[Read]) -> dict[int, str]:
    """Why each dead letter was written, by the offset of its request; one that stands there a second time is the same."""
    return {int(header(record, "dlq.offset")): header(record, "dlq.reason") for record in records}


def header(record: Read, wanted: str) -> str:
    value = dict(record.headers() or [])[wanted]
    assert isinstance(value, bytes)
    return value.decode()


async def test_answers_that_are_too_large_together_are_published_one_by_one(broker: Broker, small: Topics) -> None:
    """The limit is on the batch, and says nothing of the messages in it."""
    batchids = [str(number) for number in range(8)]
    async with outlet(broker, small) as out:
        await out.publish([batch(batchid, answer_bytes=300) for batchid in batchids])
    assert statuses(await read(broker, small.result_topic)) == [(batchid, "complete") for batchid in batchids]
    assert await read(broker, small.dead_letter_topic) == []


async def test_a_refused_answer_becomes_a_failed_one_in_its_place_and_a_dead_letter(
    broker: Broker, small: Topics
) -> None:
    large = batch("2", answer_bytes=2 * BYTES_MAX)
    async with outlet(broker, small) as out:
        await out.publish([batch("1"), large, batch("3")])
    answers = await read(broker, small.result_topic)
    assert statuses(answers) == [("1", "complete"), ("2", "failed"), ("3", "complete")]
    (failed,) = [json.loads(record.value() or b"") for record in answers if b'"failed"' in (record.value() or b"")]
    assert failed["error"]["code"] == Code.RESULT_TOO_LARGE
    letters = await read(broker, small.dead_letter_topic)
    assert reasons(letters) == {1: Code.RESULT_TOO_LARGE}
    assert letters[0].value() == large


async def test_where_failed_batches_are_not_answered_a_refused_answer_leaves_no_trace_but_its_dead_letter(
    broker: Broker, small: Topics
) -> None:
    async with outlet(broker, small, reply_to_failed=False) as out:
        await out.publish([request("0", "no list"), batch("1"), batch("2", answer_bytes=2 * BYTES_MAX), batch("3")])
    assert statuses(await read(broker, small.result_topic)) == [("1", "complete"), ("3", "complete")]
    letters = await read(broker, small.dead_letter_topic)
    assert reasons(letters) == {0: Code.INVALID_REQUEST, 2: Code.RESULT_TOO_LARGE}


async def test_after_a_refusal_the_partition_is_published_to_as_before(broker: Broker, small: Topics) -> None:
    """With the same producer it never would be: its sequence numbers have a hole."""
    async with outlet(broker, small) as out:
        for number in range(0, 6, 2):
            await out.publish([batch(str(number)), batch(str(number + 1), answer_bytes=2 * BYTES_MAX)])
        assert out.results.replaced
    expected = [(str(number), "failed" if number % 2 else "complete") for number in range(6)]
    assert statuses(await read(broker, small.result_topic)) == expected
    assert reasons(await read(broker, small.dead_letter_topic)) == dict.fromkeys((1, 3, 5), Code.RESULT_TOO_LARGE)


async def test_of_a_batch_whose_failed_answer_is_refused_too_the_dead_letter_is_left(
    broker: Broker, small: Topics
) -> None:
    batchid = "\N{PARTY POPPER}" * 250  # 1,000 bytes of the 1,200
    async with outlet(broker, small) as out:
        await out.publish([batch("1"), batch(batchid, answer_bytes=BYTES_MAX), batch("3")])
    assert statuses(await read(broker, small.result_topic)) == [("1", "complete"), ("3", "complete")]
    assert reasons(await read(broker, small.dead_letter_topic)) == {1: Code.RESULT_TOO_LARGE}


async def test_a_record_without_key_and_value_has_a_dead_letter_without_either(broker: Broker, topics: Topics) -> None:
    async with outlet(broker, topics) as out:
        await out.publish([None])
    letters = await read(broker, topics.dead_letter_topic)
    assert reasons(letters) == {0: Code.EMPTY_RECORD}
    assert (letters[0].key(), letters[0].value()) == (None, None)
