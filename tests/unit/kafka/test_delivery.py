"""What the ways to deliver tell of their troubles."""

from config.settings import Settings
from consumer.kafka.delivery import ExactlyOnce
from consumer.kafka.transaction import TransactionalSink
from domain.batch import Code, Rejection


async def reject(value: bytes | None, code: Code, message: str) -> Rejection:
    return Rejection(code, message, (), None, None)


async def test_a_partition_without_transactions_is_in_trouble_until_one_succeeds_or_it_is_taken_away() -> None:
    """Also between two tries, while its producer is closed: an instance is not healthy for that half second."""
    delivery = ExactlyOnce(Settings(), reject=reject, service="batchsum")
    sink, _ = delivery.sink(0), delivery.sink(1)
    assert isinstance(sink, TransactionalSink)
    sink.failing_since = 1.0
    await sink.close()
    assert [*delivery.troubles({0, 1})] == ["partition 0 has no transactions"]
    assert [*delivery.troubles({1})] == []
    sink.failing_since = None
    assert [*delivery.troubles({0, 1})] == []
