"""The traps of aiokafka (T1 to T22) that wait where there is no broker: before it starts, and after it has gone."""

import asyncio
import time
from typing import Literal

import pytest

from config.settings import Settings
from consumer.failures import Stalled
from consumer.kafka import client, publisher, source
from consumer.kafka.publisher import Publisher
from consumer.kafka.source import Source
from tests.support.brokers import Broker, fresh_topics
from tests.support.kafka import nothing_left_behind, produce, settings_for
from tests.support.members import Member, member
from tests.support.records import lone
from tests.support.waiting import wait_until
from tests.unit.kafka.fakes import FakeLanes

STOP_TIMEOUT_S = 1.0


@pytest.fixture
def settings(private_broker: Broker) -> Settings:
    return settings_for(
        private_broker,
        fresh_topics(private_broker),
        commit_timeout_ms=500,
        publish_timeout_ms=60_000,
        outage_timeout_ms=60_000,
    )


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "STOP_TIMEOUT_S", STOP_TIMEOUT_S)
    monkeypatch.setattr(publisher, "RETIRE_TIMEOUT_S", STOP_TIMEOUT_S)
    monkeypatch.setattr(client, "RETRY_WAIT_S", 0.2)


async def test_a_broker_that_comes_late_is_found(private_broker: Broker, settings: Settings) -> None:
    """T17: aiokafka tries each address once."""
    await asyncio.to_thread(private_broker.stop)
    results = Publisher(settings, settings.result_topic, holds_too_large=False)
    only = Source(settings, FakeLanes())
    async with nothing_left_behind():
        starting = asyncio.gather(results.start(), only.start())
        await asyncio.sleep(0.5)
        assert not starting.done()
        await asyncio.to_thread(private_broker.start)
        await asyncio.wait_for(starting, 20)
        assert await results.publish(0, lone(b"x")) == []
        await wait_until(lambda: only.in_group)
        await asyncio.gather(results.stop(), only.stop())


@pytest.mark.parametrize("end", ["pause", "kill"])
async def test_stopping_takes_no_longer_without_a_broker_and_leaves_no_task_and_no_socket(
    private_broker: Broker, settings: Settings, end: Literal["pause", "kill"]
) -> None:
    """T18: a producer would wait for its batches for ever; a consumer can break off half way."""
    results = Publisher(settings, settings.result_topic, holds_too_large=False)
    only = Member(settings)
    async with nothing_left_behind():
        await asyncio.gather(results.start(), only.source.start())
        await produce(private_broker, settings.request_topic, [b"1"])
        await wait_until(lambda: only.delivered)
        await asyncio.to_thread(getattr(private_broker, end))
        publishing = asyncio.create_task(results.publish(0, lone(b"x")))
        await asyncio.sleep(0.5)  # for the client to notice, and to begin what it does then
        assert not publishing.done()

        before = time.monotonic()
        await only.lanes.close()
        publishing.cancel()
        await asyncio.wait([publishing])
        await asyncio.gather(results.stop(), only.source.stop())
        assert time.monotonic() - before < 4 * STOP_TIMEOUT_S


async def test_an_instance_that_cannot_reach_its_group_says_so_and_in_the_end_stalls(
    private_broker: Broker, settings: Settings
) -> None:
    """T19: aiokafka keeps its generation, and its assignment, for as long as nobody tells it that they are gone."""
    async with member(settings) as only:
        await asyncio.to_thread(private_broker.kill)
        await wait_until(lambda: not only.source.in_group)
        only.source.check()
        only.source._in_group_at -= settings.outage_timeout_ms / 1000
        with pytest.raises(Stalled, match="not in the group"):
            only.source.check()

        await asyncio.to_thread(private_broker.start)
        await wait_until(lambda: only.source.in_group)
        only.source.check()
        await produce(private_broker, settings.request_topic, [b"1"])
        await wait_until(lambda: only.delivered)
