"""The source of a lane: where it starts, what it asks for, and what it makes of polls that fail."""

import asyncio
import time
from typing import Literal

import pytest
from aiokafka.errors import CorruptRecordException, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumer.failures import OffsetsLost, Stalled
from consumer.kafka import partition as module
from consumer.kafka.commits import Commits
from consumer.kafka.partition import FetchLimits, Partition
from consumer.metrics import REGISTRY
from consumer.wire.compression import EXPANDED_BYTES_MAX
from consumer.wire.log import LogBatch
from consumer.wire.records import decode
from tests.support.records import HandmadeRecord, log_batches
from tests.unit.kafka.fakes import PLACE, FakeCommitter, FakeConsumer


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_WAIT_S", 0.001)


class Road:
    """A partition on a consumer that remembers, with the commits it leads to."""

    def __init__(
        self,
        consumer: FakeConsumer,
        *,
        outage_timeout_ms: int = 5_000,
        lost_offsets: Literal["earliest", "stop"] = "earliest",
    ) -> None:
        self.consumer = consumer
        self.committer = FakeCommitter(PLACE)
        self.commits = Commits(self.committer, interval_ms=1, timeout_ms=1_000)
        limits = FetchLimits(
            chunk_records_max=100,
            chunk_bytes_max=2_048,
            outage_timeout_ms=outage_timeout_ms,
            lost_offsets=lost_offsets,
        )
        self.partition = Partition(consumer, PLACE, self.commits, limits)

    async def fetch(self, chunks: int = 1) -> list[list[int]]:
        """The offsets of the next chunks."""
        fetched = [await asyncio.wait_for(self.partition.fetch(), 5) for _ in range(chunks)]
        return [[record.offset for record in decode(chunk)] for chunk in fetched]

    async def committed(self) -> list[int]:
        """All that was ever committed, now that what is done is."""
        await self.commits.commit()
        return [offsets[PLACE] for offsets in self.committer.landed]


def batch(*offsets: int, size: int = 10) -> LogBatch:
    """A record batch of the log."""
    return log_batches(*[HandmadeRecord(offset=offset, value=b"x" * size) for offset in offsets])[0]


async def test_a_lane_starts_at_the_committed_offset() -> None:
    road = Road(FakeConsumer(batch(7)))
    road.consumer.committed_offset = 7
    await road.partition.open()
    assert road.consumer.seeks == [7]
    assert await road.committed() == []


async def test_what_was_handed_out_has_its_turn_before_the_next_poll() -> None:
    road = Road(FakeConsumer(batch(0), batch(1)))
    polls_before: list[int] = []

    async def begin() -> None:
        polls_before.append(len(road.consumer.polls))

    await road.partition.fetch()
    working = asyncio.create_task(begin())
    await road.partition.fetch()
    await working
    assert polls_before == [1]


async def test_a_committed_offset_of_zero_is_one() -> None:
    """T2: `seek_to_committed` takes it for none."""
    road = Road(FakeConsumer())
    road.consumer.committed_offset, road.consumer.earliest_offset = 0, 5
    await road.partition.open()
    assert road.consumer.seeks == [0]


async def test_a_new_group_starts_at_the_earliest_record_and_commits_that() -> None:
    """T2: on purpose, in so many words, and once: whatever comes later, the group has an offset."""
    road = Road(FakeConsumer())
    road.consumer.committed_offset, road.consumer.earliest_offset = None, 5
    await road.partition.open()
    assert road.consumer.seeks == [5]
    assert await road.committed() == [5]


@pytest.mark.parametrize("error", [CorruptRecordException("crc"), NoOffsetForPartitionError(PLACE), KafkaError("?")])
async def test_a_poll_that_fails_is_repeated_from_the_first_record_that_no_chunk_has_carried(error: KafkaError) -> None:
    """T3: what the failed poll had taken is gone with it, although its position may have moved."""
    consumer = FakeConsumer(batch(0, 1), error, batch(2))
    road = Road(consumer)
    await road.partition.open()
    await road.fetch()
    consumer.at = 99
    assert await road.fetch() == [[2]]
    assert consumer.seeks == [0, 2]


async def test_a_partition_that_cannot_be_read_stalls_the_instance_in_the_end() -> None:
    road = Road(FakeConsumer(*[CorruptRecordException("crc")] * 10_000), outage_timeout_ms=20)
    await road.partition.open()
    with pytest.raises(Stalled, match="requests/0 cannot be read"):
        await road.fetch()


async def test_only_the_lane_s_own_partition_is_polled() -> None:
    """T12, T3 and T6: a filter keeps what was fetched of the others, and their errors are theirs."""
    road = Road(FakeConsumer(batch(0), CorruptRecordException("crc"), batch(1)))
    await road.partition.open()
    await road.fetch(chunks=2)
    assert [poll.partitions for poll in road.consumer.polls] == [(PLACE,)] * 3


async def test_batches_that_fit_share_a_chunk() -> None:
    road = Road(FakeConsumer([batch(0, 1), batch(2), batch(3, 4)]))
    await road.partition.open()
    assert await road.fetch() == [[0, 1, 2, 3, 4]]


async def test_what_a_poll_brings_beyond_a_chunk_is_the_next_chunk() -> None:
    road = Road(FakeConsumer([batch(0, 1, size=700), batch(2, size=700), batch(3, 4)]))
    await road.partition.open()
    assert await road.fetch(chunks=2) == [[0, 1], [2, 3, 4]]
    assert len(road.consumer.polls) == 1


async def test_a_batch_larger_than_a_chunk_is_taken_in_pieces() -> None:
    road = Road(FakeConsumer([batch(0, 1, 2, 3, 4, size=900), batch(*range(5, 255))]))
    await road.partition.open()
    assert await road.fetch(chunks=2) == [[0, 1], [2, 3]]
    assert [len(chunk) for chunk in await road.fetch(chunks=4)] == [1, 100, 100, 50]


async def test_a_record_larger_than_a_chunk_goes_alone() -> None:
    road = Road(FakeConsumer([batch(0, size=9_000), batch(1)]))
    await road.partition.open()
    assert await road.fetch(chunks=2) == [[0], [1]]


async def test_a_lane_that_starts_in_the_middle_of_a_batch_leaves_out_what_was_done() -> None:
    road = Road(FakeConsumer([batch(5, 6, 7, 8)]))
    road.consumer.committed_offset = 7
    await road.partition.open()
    chunk = await road.partition.fetch()
    assert (chunk.first_offset, chunk.next_offset) == (7, 9)
    assert [record.offset for record in decode(chunk)] == [7, 8]


async def test_of_a_batch_in_pieces_those_that_were_done_are_left_out() -> None:
    road = Road(FakeConsumer([batch(*range(250))]))
    road.consumer.committed_offset = 205
    await road.partition.open()
    chunk = await road.partition.fetch()
    assert (chunk.first_offset, chunk.next_offset) == (205, 250)


async def test_batches_before_one_that_cannot_be_read_do_not_suffer() -> None:
    bomb = log_batches(HandmadeRecord(offset=1, value=bytes(EXPANDED_BYTES_MAX)), compression="zstd")
    road = Road(FakeConsumer([batch(0), *bomb, batch(2)], [*bomb, batch(2)], [batch(1, 2)]))
    await road.partition.open()
    assert await road.fetch(chunks=2) == [[0], [1, 2]]
    assert road.consumer.seeks == [0, 1, 1]


async def test_offsets_without_records_are_passed_at_once_when_nothing_is_in_flight() -> None:
    """Control markers have offsets too: uncommitted, they would be lag for ever."""
    road = Road(FakeConsumer([], batch(3)))
    await road.partition.open()
    road.consumer.at = road.consumer.stable_offset = 2
    assert await road.fetch() == [[3]]
    assert road.partition.lag == 0
    assert await road.committed() == [2]


async def test_offsets_without_records_are_not_passed_before_the_chunk_in_front_of_them_is_done() -> None:
    """G1."""
    road = Road(FakeConsumer(batch(0), [], batch(3)))
    await road.partition.open()
    chunk = await road.partition.fetch()
    road.consumer.at = road.consumer.stable_offset = 2
    assert await road.fetch() == [[3]]
    assert await road.committed() == []

    road.partition.mark_done(chunk)
    assert await road.committed() == [1]


async def test_a_lost_offset_leads_to_the_earliest_record_that_is_left() -> None:
    road = Road(FakeConsumer(OffsetOutOfRangeError({PLACE: 7}), batch(50)))
    road.consumer.committed_offset, road.consumer.earliest_offset = 7, 50
    await road.partition.open()
    before = REGISTRY.get_sample_value("batchsum_offsets_lost_total") or 0
    assert await road.fetch() == [[50]]
    assert await road.committed() == [50]
    assert REGISTRY.get_sample_value("batchsum_offsets_lost_total") == before + 1


async def test_a_lost_offset_stops_the_instance_where_the_settings_say_so() -> None:
    road = Road(FakeConsumer(OffsetOutOfRangeError({PLACE: 7})), lost_offsets="stop")
    road.consumer.committed_offset, road.consumer.earliest_offset = 7, 50
    await road.partition.open()
    with pytest.raises(OffsetsLost, match="offset 7 is not in the log, which starts at 50"):
        await road.fetch()
    assert await road.committed() == []


async def test_a_chunk_of_a_log_that_has_been_replaced_commits_nothing_of_the_new_one() -> None:
    consumer = FakeConsumer(batch(7, 8), OffsetOutOfRangeError({PLACE: 9}), batch(0))
    road = Road(consumer)
    consumer.committed_offset, consumer.earliest_offset = 7, 0
    await road.partition.open()
    old = await road.partition.fetch()
    await road.fetch()
    road.partition.mark_done(old)
    assert await road.committed() == [0]


async def test_polls_that_bring_nothing_are_no_progress_while_there_are_records_to_fetch() -> None:
    road = Road(FakeConsumer([], [], [], batch(0)))
    road.consumer.stable_offset = 5
    await road.partition.open()
    waiting_since = time.monotonic()
    await road.fetch()

    assert road.partition.stuck_s >= time.monotonic() - waiting_since - 0.01


async def test_a_partition_without_lag_is_never_stuck() -> None:
    road = Road(FakeConsumer())
    await road.partition.open()

    assert road.partition.stuck_s < 0.01
