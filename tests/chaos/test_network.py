"""Faults 11, 17: a bad network between, and commits that are refused or not answered."""

import asyncio
import random

import pytest

from tests.chaos.load import mixed
from tests.chaos.scene import IN_FLIGHT_MAX, SESSION_TIMEOUT_S, Scene, both_deliveries

pytestmark = pytest.mark.real_broker("it judges guarantees")

BATCHES_PER_S = 200
UNCOMMITTED_MAX = IN_FLIGHT_MAX + 10 * BATCHES_PER_S
RECOVERY_S = 30.0


@pytest.mark.slow
@both_deliveries
@pytest.mark.parametrize("fault", ["reset", "latency", "half-open", "bandwidth"])
async def test_11_a_bad_network_costs_nothing(stage: Scene, fault: str) -> None:
    """Connections that are reset, slow by 2 s, silently dead, or as good as clogged; results flow again soon after."""
    (proxy,) = stage.kafka.proxies
    async with stage.loaded(mixed(random.Random(11)), batches_per_s=BATCHES_PER_S):
        instance = await stage.started()
        await stage.outcomes(200)
        match fault:
            case "reset":
                for _ in range(10):
                    assert proxy.reset() > 0
                    await asyncio.sleep(0.3)
            case "latency":
                proxy.latency_s = 2.0
                await asyncio.sleep(2 * SESSION_TIMEOUT_S)
            case "half-open":
                assert proxy.half_open() > 0
            case "bandwidth":
                proxy.bytes_per_s = 1024
                await asyncio.sleep(2 * SESSION_TIMEOUT_S)
        await proxy.heal()
        await stage.flowing(within_s=RECOVERY_S)
    await stage.settled()
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=UNCOMMITTED_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_17_a_member_that_its_group_has_expelled_joins_again(stage: Scene) -> None:
    """Its commits are refused as from an unknown member, again and again; that is no error of its own, and loses nothing."""
    async with stage.loaded(mixed(random.Random(17)), batches_per_s=BATCHES_PER_S):
        instance = await stage.started(log_level="debug")
        for _ in range(4):
            await stage.flowing(within_s=RECOVERY_S)
            await stage.kafka.expel_all(stage.topics.group_id)
        await stage.flowing(within_s=RECOVERY_S)
    await stage.settled()
    assert len(instance.events("partitions assigned")) >= 5
    if stage.delivery == "at_least_once":  # else nobody commits as a member of the group
        assert instance.events("commit refused")
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=5 * IN_FLIGHT_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_17_commits_amid_one_rebalance_after_the_other_lose_and_repeat_nothing(stage: Scene) -> None:
    """Each newcomer makes a new generation, and another one when it leaves; what is drained is committed in the old one."""
    async with stage.loaded(mixed(random.Random(17)), batches_per_s=BATCHES_PER_S):
        instance = await stage.started()
        for _ in range(3):
            await stage.flowing(within_s=RECOVERY_S)
            newcomer = await stage.started()
            assert await newcomer.stopped() == 0
    await stage.settled()
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=0) == []


@pytest.mark.slow
async def test_17_commits_without_an_answer_in_time_are_tried_again(stage: Scene) -> None:
    (proxy,) = stage.kafka.proxies
    async with stage.loaded(mixed(random.Random(17)), batches_per_s=BATCHES_PER_S):
        instance = await stage.started(commit_timeout_ms=500)
        await stage.outcomes(200)
        proxy.latency_s = 0.4  # there and back, more than a commit may take, and less than a session
        await instance.logged("commit failed", times=3)
        await proxy.heal()
        await stage.flowing(within_s=RECOVERY_S)
    await stage.settled()
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []
