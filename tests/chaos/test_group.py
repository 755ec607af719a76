"""Faults 13, 14, 15, 16, 24, 25: members that come, go, take long, stand still, or have nothing to do."""

import asyncio
import random
import signal

import pytest

from tests.chaos.load import goods, mixed, order
from tests.chaos.scene import IN_FLIGHT_MAX, SESSION_TIMEOUT_S, Scene, both_deliveries
from tests.chaos.test_stopping import with_a_long_chunk
from tests.support.faulty_instance import BLOCKED_S
from tests.support.http import http_settings, sample
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_broker("it judges guarantees")

RECOVERY_S = 30.0


@pytest.mark.slow
@both_deliveries
async def test_13_a_storm_of_joins_and_leaves_loses_nothing_and_leaves_no_partition_unserved(stage: Scene) -> None:
    async with stage.loaded(mixed(random.Random(13)), batches_per_s=200):
        crowd = [stage.start() for _ in range(4)]
        await stage.flowing(within_s=RECOVERY_S)
        crowd[0].kill()
        crowd[1].terminate()
        crowd += [stage.start() for _ in range(2)]
        await stage.flowing(within_s=RECOVERY_S)
        crowd[2].terminate()
        crowd[3].terminate()
        await stage.flowing(within_s=RECOVERY_S)
    await stage.settled()
    for instance in stage.instances.running:
        instance.terminate()
    codes = [await instance.ended() for instance in crowd]
    assert codes[0] == -signal.SIGKILL
    assert set(codes[1:]) == {0}
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@both_deliveries
async def test_14_what_is_in_flight_at_a_revocation_is_drained_within_the_budget(stage: Scene) -> None:
    """And committed: the next owner does nothing again."""
    await stage.produce_everywhere(lambda: with_a_long_chunk(0.5))
    first = await stage.started(faulty=True, workers=2)
    await stage.outcomes(1)
    second = await stage.started(faulty=True)
    assert first.events("partitions revoked")
    assert first.events("drain budget spent, work dropped") == []
    await stage.settled()
    assert [await instance.stopped() for instance in (first, second)] == [0, 0]
    assert stage.judge(duplicates_max=0) == []


@pytest.mark.slow
@both_deliveries
async def test_14_what_is_late_at_a_revocation_is_dropped_and_counted(stage: Scene) -> None:
    """It has not been published, so whoever does it again is the first."""
    await stage.produce([*goods(100), order("sleep:4"), *goods(100)])
    first = await stage.started(faulty=True, drain_timeout_ms=500, **http_settings())
    await stage.outcomes(1)
    second = await stage.started(faulty=True)
    assert (await first.logged("drain budget spent, work dropped"))["lanes"] == 1
    assert await sample(first.url, "batchsum_dropped_chunks_total") >= 1
    await stage.settled()
    assert [await instance.stopped() for instance in (first, second)] == [0, 0]
    assert stage.judge(duplicates_max=0) == []


@pytest.mark.slow
@both_deliveries
async def test_15_a_chunk_longer_than_the_longest_pause_between_polls_keeps_the_instance_in_its_group(
    stage: Scene,
) -> None:
    instance = await stage.started(faulty=True, max_poll_interval_ms=1_000)
    await stage.produce([order("sleep:4"), *goods(100)])
    await stage.settled()
    assert len(instance.events("partitions assigned")) == 1
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=0) == []


@pytest.mark.slow
@both_deliveries
async def test_16_a_zombie_that_wakes_up_repeats_at_most_what_it_had_in_flight(stage: Scene) -> None:
    """Exactly once, what it had begun is fenced; a reader sees nothing of it."""
    async with stage.loaded(mixed(random.Random(16)), batches_per_s=200):
        zombie = await stage.started()
        await stage.outcomes(500)
        zombie.signal(signal.SIGSTOP)
        successor = await stage.started()
        await stage.flowing(within_s=RECOVERY_S)
        zombie.signal(signal.SIGCONT)
        await stage.flowing(within_s=RECOVERY_S)
        await zombie.logged("partitions assigned", times=2)
    await stage.settled()
    assert [await instance.stopped() for instance in (zombie, successor)] == [0, 0]
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_24_a_blocked_event_loop_is_counted_and_the_group_rejoined(stage: Scene) -> None:
    """Blocked for longer than a session may be silent: with the default of 45 s, 30 s would not even be noticed."""
    async with stage.loaded(mixed(random.Random(24)), batches_per_s=200):
        instance = await stage.started(faulty=True, **http_settings())
        await stage.outcomes(200)
        assert BLOCKED_S > SESSION_TIMEOUT_S
        instance.signal(signal.SIGUSR1)
        stall = await instance.logged("event loop stood still")
        assert float(str(stall["seconds"])) > BLOCKED_S - 1
        assert await sample(instance.url, "batchsum_loop_stalls_total") >= 1
        await stage.flowing(within_s=RECOVERY_S)
    await stage.settled()
    await wait_until(lambda: instance.is_healthy)
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@pytest.mark.slow
async def test_25_an_instance_without_partitions_is_ready_and_quiet(stage: Scene) -> None:
    """Five instances for four partitions: one has none, for longer than a member may go without polling."""
    instances = [await stage.started(max_poll_interval_ms=1_000) for _ in range(5)]
    await wait_until(
        lambda: any(instance.events("partitions assigned")[-1]["partitions"] == [] for instance in instances)
    )
    await wait_until(lambda: all(instance.is_healthy for instance in instances))
    told = [len(instance.events()) for instance in instances]
    await asyncio.sleep(3)
    assert [len(instance.events()) for instance in instances] == told
    assert all(instance.is_healthy for instance in instances)
    await stage.produce_everywhere(lambda: goods(50))
    await stage.settled()
    for instance in instances:
        instance.terminate()
    assert [await instance.ended() for instance in instances] == [0] * 5
    assert stage.judge(duplicates_max=0) == []
