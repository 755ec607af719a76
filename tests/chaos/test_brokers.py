"""Faults 9, 10, 12: brokers that restart, that are away for long, and coordinators and leaders that move."""

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.chaos.load import mixed
from tests.chaos.scene import IN_FLIGHT_MAX, SESSION_TIMEOUT_S, Scene, both_deliveries
from tests.support.brokers.node import Node
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_broker("it judges guarantees")

# While nothing can be committed, what is published meanwhile is in flight, too.
BATCHES_PER_S = 200
UNCOMMITTED_MAX = IN_FLIGHT_MAX + 10 * BATCHES_PER_S
RECOVERY_S = 30.0


@pytest.mark.slow
@both_deliveries
async def test_09_a_broker_that_restarts_costs_nothing(stage: Scene) -> None:
    async with stage.loaded(mixed(random.Random(9)), batches_per_s=BATCHES_PER_S):
        instance = await stage.started()
        await stage.outcomes(200)
        await asyncio.to_thread(stage.kafka.stop)
        await asyncio.to_thread(stage.kafka.start)
        await stage.flowing(within_s=RECOVERY_S)
    await stage.settled()
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=UNCOMMITTED_MAX) == []


@pytest.mark.slow
@both_deliveries
@pytest.mark.parametrize("end", [Node.stop, Node.kill], ids=["stopped", "killed"])
async def test_09_a_leader_that_moves_costs_nothing(wide_stage: Scene, end: Callable[[Node], None]) -> None:
    async with wide_stage.loaded(mixed(random.Random(9)), batches_per_s=BATCHES_PER_S):
        instance = await wide_stage.started()
        await wide_stage.outcomes(200)
        node = wide_stage.kafka.nodes[wide_stage.kafka.leader(wide_stage.topics.result_topic)]
        await asyncio.to_thread(end, node)
        await wide_stage.flowing(within_s=RECOVERY_S)
        await asyncio.to_thread(node.start)
        await wide_stage.flowing(within_s=RECOVERY_S)
    await wide_stage.settled()
    assert await instance.stopped() == 0
    assert wide_stage.judge(duplicates_max=UNCOMMITTED_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_10_brokers_away_for_longer_than_the_session_are_outlasted(stage: Scene) -> None:
    """The instance is not healthy meanwhile, and recovers by itself."""
    async with stage.loaded(mixed(random.Random(10)), batches_per_s=BATCHES_PER_S):
        instance = await stage.started()
        await stage.outcomes(200)
        (proxy,) = stage.kafka.proxies
        await proxy.refuse()
        await asyncio.sleep(2 * SESSION_TIMEOUT_S)
        assert instance.events("not healthy")
        assert not instance.is_healthy
        await proxy.heal()
        await stage.flowing(within_s=RECOVERY_S)
        await wait_until(lambda: instance.is_healthy)
    await stage.settled()
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=UNCOMMITTED_MAX) == []


@pytest.mark.slow
async def test_10_brokers_away_for_longer_than_an_outage_may_last_end_the_instance(stage: Scene) -> None:
    """Never a zombie: it exits, for its supervisor to start it again."""
    instance = await stage.started(outage_timeout_ms=5_000)
    (proxy,) = stage.kafka.proxies
    await proxy.refuse()
    assert await instance.ended(timeout_s=5 + RECOVERY_S) == 5
    await proxy.heal()


@pytest.mark.slow
@both_deliveries
async def test_12_a_coordinator_that_moves_leads_back_to_the_committed_offset(wide_stage: Scene) -> None:
    """No replay from the start, and, as no request is without its outcome in the end, no jump to the end."""
    async with wide_stage.loaded(mixed(random.Random(12)), batches_per_s=BATCHES_PER_S):
        instance = await wide_stage.started(log_level="debug")
        await wide_stage.outcomes(500)
        await wide_stage.observer.look()
        committed, delivered_before = dict(wide_stage.observer.committed), len(instance.events("chunk delivered"))
        node = wide_stage.kafka.nodes[wide_stage.kafka.coordinator(wide_stage.topics.group_id)]
        await asyncio.to_thread(node.kill)
        await wide_stage.flowing(within_s=RECOVERY_S)
        # A new member, so that offsets are fetched from the new coordinator in any case.
        newcomer = await wide_stage.started(log_level="debug")
        await wide_stage.flowing(within_s=RECOVERY_S)
        await asyncio.to_thread(node.start)
    await wide_stage.settled()
    assert await instance.stopped() == 0
    assert await newcomer.stopped() == 0
    delivered = [*instance.events("chunk delivered")[delivered_before:], *newcomer.events("chunk delivered")]
    again = [chunk for chunk in delivered if int(str(chunk["offset"])) < committed[int(str(chunk["partition"]))]]
    assert again == []
    assert wide_stage.judge(duplicates_max=UNCOMMITTED_MAX) == []
