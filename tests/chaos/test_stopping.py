"""Faults 18, 19, 20, 21, 30: instances that are told to stop, in good and in bad moments, and such that are killed."""

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.conductor import LATENCY_S, wrongs
from tests.chaos.load import Batch, goods, mixed, order
from tests.chaos.scene import CHUNK_RECORDS_MAX, IN_FLIGHT_MAX, QUICK, Scene, both_deliveries
from tests.support.waiting import patience, wait_until

pytestmark = pytest.mark.real_broker("it judges guarantees")

DRAIN_S = QUICK["drain_timeout_ms"] / 1000
AT_ONCE_S = 2.0
CLOSING_S = 10.0
MOMENTS = 16
CLOSING_WITHOUT_BROKERS_S = 25.0  # to abort, commit, leave and close: each waits in vain, for a bounded time of its own


@contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds * patience()


def with_a_long_chunk(seconds: float) -> list[Batch]:
    """When the first chunk of these has its outcomes, a worker is busy with the second one, for *seconds*."""
    return [*goods(CHUNK_RECORDS_MAX), order(f"sleep:{seconds}"), *goods(2 * CHUNK_RECORDS_MAX)]


@both_deliveries
async def test_18_sigterm_under_load_drains_commits_and_leaves(stage: Scene) -> None:
    """Nothing is done twice, and the group knows at once that the member is gone."""
    async with stage.loaded(mixed(random.Random(18))):
        instance = await stage.started(workers=2)
        await stage.outcomes(500)
        with takes_at_most(DRAIN_S + CLOSING_S):
            assert await instance.stopped() == 0
        assert await asyncio.to_thread(stage.kafka.members, stage.topics.group_id) == []
        assert instance.events("drained")
        await stage.observer.look()
        assert sum(stage.observer.committed.values()) == instance.events("drained")[-1]["batches_total"]
        successor = await stage.started(workers=2)
        await stage.flowing()
    await stage.settled()
    assert await successor.stopped() == 0
    assert stage.judge(duplicates_max=0) == []


@pytest.mark.slow
@both_deliveries
async def test_18_sigterm_at_any_moment_of_the_start_is_obeyed_and_leaves_nothing_behind(stage: Scene) -> None:
    for proxy in stage.kafka.proxies:
        proxy.latency_s = LATENCY_S
    before = time.monotonic()
    first = await stage.started()
    start_s = time.monotonic() - before
    assert await first.stopped() == 0
    for moment in range(1, MOMENTS + 1):
        instance = stage.start()
        await asyncio.sleep(start_s * moment / MOMENTS)
        instance.terminate()
        assert await wrongs(instance) == []


@both_deliveries
@pytest.mark.parametrize("insist", [True, False], ids=["a second signal", "the budget spent"])
async def test_19_an_instance_that_may_not_drain_ends_at_once_and_loses_nothing(stage: Scene, insist: bool) -> None:
    await stage.produce_everywhere(lambda: with_a_long_chunk(6))
    instance = await stage.started(faulty=True, drain_timeout_ms=3_000 if insist else 1_000)
    await stage.outcomes(1)
    instance.terminate()
    if insist:
        await instance.logged("draining")
        await asyncio.sleep(0.6)  # sooner, it would count as the same one
        instance.terminate()
    with takes_at_most(AT_ONCE_S if insist else 1 + CLOSING_S):
        assert await instance.ended() == 6
    await wait_until(lambda: not instance.outlived_by(), timeout_s=5)

    successor = await stage.started(workers=2)
    await stage.settled()
    assert await successor.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@both_deliveries
async def test_20_after_sigkill_the_workers_are_gone_and_a_restart_resumes_at_the_committed_offset(
    stage: Scene,
) -> None:
    async with stage.loaded(mixed(random.Random(20))):
        instance = await stage.started(workers=2)
        await stage.outcomes(500)
        instance.kill()
        assert await instance.ended() == -signal.SIGKILL
        await wait_until(lambda: not instance.outlived_by(), timeout_s=5)
        await stage.observer.look()
        resumes_at = dict(stage.observer.committed)
        successor = await stage.started(workers=2, log_level="debug")
        await stage.flowing()
    await stage.settled()
    first_offsets: dict[object, object] = {}
    for delivered in successor.events("chunk delivered"):
        first_offsets.setdefault(delivered["partition"], delivered["offset"])
    assert first_offsets == resumes_at
    assert await successor.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_21_sigterm_during_a_rebalance_is_obeyed_within_the_budget(stage: Scene) -> None:
    await stage.produce_everywhere(lambda: with_a_long_chunk(2))
    instance = await stage.started(faulty=True)
    await stage.outcomes(1)
    successor = stage.start()
    await instance.logged("partitions revoked")  # now it drains, and the group waits for it
    instance.terminate()
    with takes_at_most(DRAIN_S + CLOSING_S):
        assert await instance.ended() in {0, 6}
    await successor.ready()
    await stage.settled()
    assert await successor.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loaded", "delivery"),
    [(True, "at_least_once"), (True, "exactly_once"), (False, "at_least_once")],
    ids=["under load", "under load, exactly once", "idle"],
)
async def test_21_sigterm_while_the_broker_is_down_is_obeyed_within_the_budget(stage: Scene, loaded: bool) -> None:
    instance = await stage.started()
    if loaded:
        await stage.produce_everywhere(lambda: goods(5_000))
        await stage.outcomes(500)
    (proxy,) = stage.kafka.proxies
    await proxy.refuse()
    instance.terminate()
    with takes_at_most(DRAIN_S + CLOSING_WITHOUT_BROKERS_S):
        assert await instance.ended() in {0, 6}
    await proxy.heal()
    successor = await stage.started(workers=2)
    await stage.settled()
    assert await successor.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@both_deliveries
async def test_30_killed_between_publishing_and_committing(stage: Scene) -> None:
    """At least once, the same results come again with the same source; exactly once, they are seen once."""
    instance = await stage.started(commit_interval_ms=60_000)
    if stage.delivery == "at_least_once":
        # The first commit, of where a new group starts, is made at once; the next one would be made in a minute.
        await wait_until(lambda: stage.observer.committed)
    await stage.produce(goods(150))
    await stage.outcomes(150)
    instance.kill()
    assert await instance.ended() == -signal.SIGKILL

    successor = await stage.started()
    await stage.settled()
    assert await successor.stopped() == 0
    await stage.observer.look()
    expected = 150 if stage.delivery == "at_least_once" else 0
    assert stage.ledger.duplicates() == expected
    assert stage.judge(duplicates_max=expected) == []
