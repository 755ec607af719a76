"""What the ways to deliver tell of their troubles, and that they leave nothing behind."""

import asyncio

import pytest
from aiokafka import TopicPartition

from config.settings import Settings
from consumer.chunk import Encoded, Finished
from consumer.kafka.delivery import ExactlyOnce
from consumer.kafka.transaction import TransactionalSink


async def nothing_instead(finished: Finished, refused: Encoded) -> list[Encoded]:
    return []


async def test_a_partition_without_transactions_is_in_trouble_until_one_succeeds_or_it_is_taken_away() -> None:
    """Also between two tries, while its producer is closed: an instance is not healthy for that half second."""
    delivery = ExactlyOnce(Settings(), instead=nothing_instead, service="batchsum")
    sink, _ = delivery.sink(0), delivery.sink(1)
    assert isinstance(sink, TransactionalSink)
    sink.failing_since = 1.0
    await sink.close()
    assert [*delivery.troubles({0, 1})] == ["partition 0 has no transactions"]
    assert [*delivery.troubles({1})] == []
    sink.failing_since = None
    assert [*delivery.troubles({0, 1})] == []


class FakeProducer:
    """In a transaction that cannot be aborted, because no broker answers."""

    def __init__(self) -> None:
        self._txn_manager = self
        self.aborting = asyncio.Event()
        self.stopped = False

    async def start(self) -> None:
        """At once."""

    def is_in_transaction(self) -> bool:
        return True

    async def abort_transaction(self) -> None:
        self.aborting.set()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.stopped = True


async def test_a_producer_is_stopped_even_if_its_lane_is_cancelled_while_it_aborts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or its connections and its sender would stay, and nobody would know of them."""
    producer = FakeProducer()
    sink = TransactionalSink(Settings(), TopicPartition("requests", 0), instead=nothing_instead, service="batchsum")
    monkeypatch.setattr(sink, "_make", lambda: producer)
    await sink.open()
    closing = asyncio.create_task(sink.close())
    await producer.aborting.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert producer.stopped
