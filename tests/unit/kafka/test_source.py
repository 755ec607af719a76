"""Membership in the group: what the consumer is made with, and what assignment and revocation do and do not wait for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError
from pydantic import ValidationError

from config.settings import Settings
from consumer.failures import Stalled
from consumer.kafka import source as module
from consumer.kafka.commits import Commits
from consumer.kafka.guards import whole_batches
from consumer.kafka.source import Source
from tests.support.waiting import wait_until
from tests.unit.kafka.fakes import OTHER_PLACE, PLACE, FakeCommitter, FakeConsumer, FakeLanes, Poll

SETTINGS = Settings(rebalance_timeout_ms=120_000, request_timeout_ms=130_000)


class Member:
    """A source that has joined a group without brokers: its client only remembers."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.lanes = FakeLanes()
        self.source = Source(settings, self.lanes)
        self.committer = FakeCommitter(PLACE, OTHER_PLACE)
        self.consumer = FakeConsumer()
        self.source._consumer = self.consumer
        self.source.commits = Commits(self.committer, interval_ms=1, timeout_ms=1_000)


@pytest.fixture
async def consumer() -> AsyncIterator[AIOKafkaConsumer]:
    """The consumer that a source makes, not started."""
    made = Source(SETTINGS, FakeLanes())._make_consumer()
    yield made
    await made.stop()


async def test_no_offset_is_committed_or_reset_behind_our_back(consumer: AIOKafkaConsumer) -> None:
    """T2 and T13."""
    assert consumer._enable_auto_commit is False
    assert consumer._auto_offset_reset == "none"


async def test_nothing_is_decoded_by_the_client(consumer: AIOKafkaConsumer) -> None:
    """T5: what cannot be decoded would end the poll, and take with it what the poll had."""
    assert consumer._key_deserializer is None
    assert consumer._value_deserializer is whole_batches


async def test_the_group_waits_for_a_drain_as_long_as_the_settings_say(consumer: AIOKafkaConsumer) -> None:
    """T8: aiokafka would make it the session timeout, 10 s by default."""
    assert consumer._rebalance_timeout_ms == SETTINGS.rebalance_timeout_ms


async def test_a_join_may_take_longer_than_a_rebalance(consumer: AIOKafkaConsumer) -> None:
    """T9: a join is answered when the rebalance is over, and given up after the request timeout."""
    assert consumer._request_timeout_ms == SETTINGS.request_timeout_ms > consumer._rebalance_timeout_ms


@pytest.mark.parametrize(
    ("name", "value"),
    [("request_timeout_ms", 60_000), ("drain_timeout_ms", 59_000), ("heartbeat_interval_ms", 20_000)],
)
def test_timeouts_that_could_not_hold_together_are_refused(name: str, value: int) -> None:
    """T8 and T9."""
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})


async def test_the_group_is_joined_with_one_assignor(consumer: AIOKafkaConsumer) -> None:
    """T10: with several, aiokafka joins once for each."""
    assert consumer._partition_assignment_strategy == (RoundRobinPartitionAssignor,)


async def test_fetches_are_bounded_in_bytes_and_time(consumer: AIOKafkaConsumer) -> None:
    """T12 and T22: a partition that waits for its lane shall not delay the others for long."""
    assert consumer._fetch_max_bytes == SETTINGS.fetch_bytes_max
    assert consumer._max_partition_fetch_bytes == SETTINGS.partition_fetch_bytes_max
    assert consumer._fetch_max_wait_ms == SETTINGS.fetch_wait_ms_max


async def test_assignment_opens_a_lane_for_each_partition_and_waits_for_none() -> None:
    """T11: no heartbeat is sent before it returns."""
    member = Member()
    member.consumer.is_silent = True
    await asyncio.wait_for(member.source.on_partitions_assigned([PLACE, OTHER_PLACE]), 1)
    assert member.lanes.opened == [PLACE, OTHER_PLACE]


async def test_what_a_drain_has_done_is_committed_before_the_partitions_are_given_back() -> None:
    """T7: by the lanes' own tasks, while polls are blocked; or the next owner would do it again."""
    member = Member()
    await member.source.on_partitions_assigned([PLACE])
    member.lanes.gate.clear()
    revoking = asyncio.create_task(member.source.on_partitions_revoked([PLACE]))
    await wait_until(lambda: member.lanes.drains)
    member.source.commits.done(PLACE, 5)
    assert not revoking.done()
    member.lanes.gate.set()
    await asyncio.wait_for(revoking, 5)

    assert member.committer.landed == [{PLACE: 5}]
    assert not member.source.partitions


async def test_what_comes_after_a_revocation_is_not_committed() -> None:
    """T13: the partition may be another instance's by then, and ours again soon after."""
    member = Member()
    await member.source.on_partitions_assigned([PLACE])
    member.source.commits.done(PLACE, 5)
    member.committer.refusal = CommitFailedError()
    await member.source.on_partitions_revoked([PLACE])
    member.committer.refusal = None
    await member.source.commits.commit()
    assert member.committer.landed == []


async def test_each_assignment_has_partitions_of_its_own() -> None:
    """T6: nothing that an earlier one has known may count in a later one."""
    member = Member()
    await member.source.on_partitions_assigned([PLACE])
    (first,) = member.lanes.partitions
    await member.source.on_partitions_revoked([PLACE])
    await member.source.on_partitions_assigned([PLACE])
    (second,) = member.lanes.partitions
    assert first is not second


async def test_an_error_in_a_rebalance_stalls_the_instance() -> None:
    """T19: aiokafka logs it and goes on, with partitions that no lane stands on."""
    member = Member()
    member.lanes.error = RuntimeError("no lane today")
    with pytest.raises(RuntimeError):
        await member.source.on_partitions_assigned([PLACE])
    with pytest.raises(Stalled, match="a rebalance was not survived"):
        member.source.check()


async def test_an_instance_polls_even_when_no_lane_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """T4: for a partition that cannot exist, so that no record is taken; aiokafka never tells the group of others."""
    monkeypatch.setattr(module, "KEEP_ALIVE_S", 0.001)
    member = Member()
    member.consumer.script = [[]] * 1_000
    running = asyncio.create_task(member.source.run())
    await wait_until(lambda: len(member.consumer.polls) > 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert set(member.consumer.polls) == {Poll((TopicPartition("\0", 0),), None)}


async def test_an_instance_polls_several_times_within_the_interval_that_the_group_allows() -> None:
    """T4: however short that is; a single poll could be late."""
    member = Member(Settings(max_poll_interval_ms=1_000))
    member.consumer.script = [[]] * 10
    running = asyncio.create_task(member.source.run())
    await wait_until(lambda: len(member.consumer.polls) > 1, timeout_s=0.9)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
