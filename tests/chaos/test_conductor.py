"""Faults drawn at random, from seeds that are always the same, and from one that never is; and that the judge is just."""

import random
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import pytest

from consumer.ledger.entry import Delivery
from tests.chaos.cluster import ChaosKafka
from tests.chaos.conductor import Conductor, plan, wrongs
from tests.chaos.faults import HAT
from tests.chaos.load import good
from tests.chaos.scene import Scene, scene
from tests.support.kafka import produce, read

DURATION_S = 60.0
# It draws, within a minute, what finds the most: results refused, a coordinator lost, instances killed and frozen.
TELLING_SEED = 169096
RANDOM_SEED = random.SystemRandom().randrange(10**6)


@pytest.fixture
async def stage(cluster: ChaosKafka, delivery: Delivery, tmp_path: Path) -> AsyncIterator[Scene]:
    """Three brokers, so that there is somewhere to move to."""
    async with scene(cluster, tmp_path, delivery=delivery) as playing:
        yield playing


@pytest.fixture
async def one_broker(kafka: ChaosKafka, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(kafka, tmp_path, delivery="at_least_once") as playing:
        yield playing


@pytest.mark.slow
@pytest.mark.real_broker("it judges guarantees")
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("seed", "delivery"),
    [(TELLING_SEED, "at_least_once"), (TELLING_SEED, "exactly_once"), (RANDOM_SEED, "exactly_once")],
    ids=["a telling seed", "a telling seed, exactly once", "a random seed, exactly once"],
)
async def test_no_promise_is_broken_whatever_strikes(stage: Scene, seed: int) -> None:
    report = await Conductor(stage, seed, print).conduct(DURATION_S)
    assert not report.violations, f"{report}\nrepeat it: make chaos SEED={seed} MINUTES={DURATION_S / 60:g}"


@pytest.mark.real_broker("it judges guarantees")
async def test_a_request_that_a_producer_has_written_twice_is_asked_twice(one_broker: Scene) -> None:
    """As one does that has lost its broker, and with it the acknowledgement; it does not know where the request stands."""
    await one_broker.produce([good("twice")])
    (first,) = await read(one_broker.kafka, one_broker.topics.request_topic)
    await produce(one_broker.kafka, one_broker.topics.request_topic, [first.value()])
    instance = await one_broker.started()
    await one_broker.outcomes(2)
    assert [violation.kind for violation in one_broker.judge()] == ["an outcome of no request"]
    await one_broker.look_through_requests()
    await one_broker.settled()
    assert await instance.stopped() == 0
    assert one_broker.judge() == []


@pytest.mark.real_broker("it judges guarantees")
async def test_an_instance_that_is_told_to_end_before_it_has_begun_has_done_no_wrong(one_broker: Scene) -> None:
    instance = one_broker.start()
    instance.terminate()
    assert await wrongs(instance) == []


def test_the_same_seed_makes_the_same_plan() -> None:
    once, again, other = ([*islice(plan(seed), 100)] for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert {strike.fault for strike in once} == HAT.keys()
