"""Publishing with one producer and, when that has failed, with the next."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from config.settings import Settings
from consumer.chunk import Encoded
from consumer.failures import Stalled
from consumer.kafka import publisher as module
from consumer.kafka.producer import packing
from consumer.kafka.publisher import Publisher
from consumer.wire.packing import encode
from consumer.wire.records import messages
from tests.support.waiting import wait_until
from tests.unit.kafka.fakes import FakeProducer, values_of

SETTINGS = Settings(publish_timeout_ms=100, outage_timeout_ms=1_000, publish_batch_bytes_max=2_048)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_WAIT_S", 0.001)


class Choosy(FakeProducer):
    """A producer of a topic with a limit in bytes for all the values of a batch."""

    def __init__(self, *, bytes_max: int) -> None:
        super().__init__()
        self._bytes_max = bytes_max
        self.is_poisoned = False

    async def append(self, topic: str, partition: int, batches: Sequence[Encoded]) -> None:
        if self.is_poisoned:
            self.error = OutOfOrderSequenceNumber()
        elif sum(len(value or b"") for batch in batches for value in values_of(batch)) > self._bytes_max:
            self.error, self.is_poisoned = MessageSizeTooLargeError(), True
        await super().append(topic, partition, batches)


class PartlyAway(FakeProducer):
    """A producer with one partition that has no leader."""

    def __init__(self, *, partition: int) -> None:
        super().__init__()
        self._away = partition

    async def append(self, topic: str, partition: int, batches: Sequence[Encoded]) -> None:
        self.error = KafkaError("no leader") if partition == self._away else None
        await super().append(topic, partition, batches)


@contextlib.asynccontextmanager
async def publishing(*producers: FakeProducer, holds_too_large: bool = False) -> AsyncIterator[Publisher]:
    """A publisher that is given these producers, one after the other."""
    publisher = Publisher(SETTINGS, "results", holds_too_large=holds_too_large)
    publisher._make = iter(producers).__next__  # type: ignore[assignment] # the brokers end here
    await publisher.start()
    yield publisher
    await publisher.stop()


def batches(*values: bytes) -> list[Encoded]:
    """All of *values* in one batch."""
    return encode([(None, value, [], None) for value in values], packing(SETTINGS))


async def test_a_failed_batch_costs_the_producer_and_nothing_else() -> None:
    """T14: its sequence numbers have a hole now, which the broker would refuse for ever."""
    failing, next_one = FakeProducer(error=OutOfOrderSequenceNumber()), FakeProducer()
    async with publishing(failing, next_one) as publisher:
        assert await publisher.publish(0, batches(b"a", b"b")) == []
        assert next_one.values(0) == [b"a", b"b"]
        assert publisher.replaced == 1
        await wait_until(lambda: failing.is_stopped)


async def test_a_batch_without_an_answer_costs_the_producer_too() -> None:
    """T14: what it has in flight may still arrive, and is the same then."""
    silent, next_one = FakeProducer(), FakeProducer()
    silent.gate.clear()
    async with publishing(silent, next_one) as publisher:
        assert await publisher.publish(0, batches(b"a")) == []
        assert next_one.values(0) == [b"a"]


async def test_lanes_that_meet_the_same_failure_replace_the_producer_once() -> None:
    """T14: the next producer is not to blame."""
    failing, next_one = FakeProducer(error=KafkaError("?")), FakeProducer()
    async with publishing(failing, next_one) as publisher:
        assert await asyncio.gather(*(publisher.publish(lane, batches(b"a")) for lane in range(4))) == [[]] * 4
        assert publisher.replaced == 1


async def test_a_topic_that_takes_a_batch_of_one_is_given_batches_of_one() -> None:
    """T14: the limit is on the batch, and says nothing of the messages in it."""
    producers = [Choosy(bytes_max=10) for _ in range(3)]
    async with publishing(*producers) as publisher:
        assert await publisher.publish(0, batches(b"x" * 8, b"y" * 8, b"z" * 8)) == []
    assert producers[1].values(0) == [b"x" * 8, b"y" * 8, b"z" * 8]


async def test_a_record_that_is_refused_alone_is_given_back_and_nothing_behind_it_is_published() -> None:
    """T14: in its place something else is to stand, so that order holds."""
    producers = [Choosy(bytes_max=10) for _ in range(4)]
    async with publishing(*producers) as publisher:
        refused, behind = await publisher.publish(0, batches(b"x", b"y" * 11, b"z"))
        assert [value for _, value, _, _ in messages(refused)] == [b"y" * 11]
        assert await publisher.publish(0, [behind]) == []
    assert [producer.values(0) for producer in producers[1:3]] == [[b"x", b"y" * 11], [b"z"]]


async def test_a_dead_letter_that_is_refused_is_held_until_the_topic_takes_it() -> None:
    """G7."""
    producers = [Choosy(bytes_max=10), Choosy(bytes_max=10), Choosy(bytes_max=20)]
    async with publishing(*producers, holds_too_large=True) as publisher:
        assert await publisher.publish(0, batches(b"y" * 15)) == []
    assert producers[2].values(0) == [b"y" * 15]


async def test_an_outage_that_outlasts_its_limit_stalls_the_instance() -> None:
    producers = [FakeProducer(error=KafkaError("gone")) for _ in range(10_000)]
    async with publishing(*producers) as publisher:
        with pytest.raises(Stalled, match=r"nothing can be published to results: .*gone"):
            await publisher.publish(0, batches(b"a"))


async def test_a_partition_that_fails_is_told_although_another_one_has_no_trouble() -> None:
    async with publishing(*(PartlyAway(partition=1) for _ in range(10_000))) as publisher:
        failing = asyncio.create_task(publisher.publish(1, batches(b"a")))
        await wait_until(lambda: publisher.failing_since is not None)
        assert await publisher.publish(0, batches(b"b")) == []
        assert publisher.failing_since is not None

        failing.cancel()  # its lane is ended
        await asyncio.wait([failing])
        assert publisher.failing_since is None


async def test_a_batch_is_acknowledged_before_the_next_one_is_sent() -> None:
    """Behind one that fails, a later one could be accepted, and the records would stand out of order."""
    failing, next_one = FakeProducer(error=KafkaError("?")), FakeProducer()
    async with publishing(failing, next_one) as publisher:
        assert await publisher.publish(0, [*batches(b"a", b"b"), *batches(b"c")]) == []
    assert failing.sent[0] == [[b"a", b"b"]]
    assert next_one.sent[0] == [[b"a", b"b"], [b"c"]]
