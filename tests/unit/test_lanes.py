"""The lanes of an instance: opened and drained together, and a failure in one is known at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from consumer.lane import Lane, Source
from consumer.lanes import Lanes
from tests.support.fakes import FakeReport, FakeSink, FakeSource, FakeWork, Memory
from tests.support.records import chunk_of
from tests.support.waiting import wait_until


class Roads:
    """What the lanes stand on, shared by all of them."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.work = FakeWork(self.memory)
        self.sink = FakeSink(self.memory)
        self.lanes = Lanes(self._make_lane, drain_timeout_s=0.2)

    def source(self, number: int) -> FakeSource:
        return FakeSource(self.memory, [chunk_of([b"x"], first_offset=number)])

    def _make_lane(self, source: Source) -> Lane:
        return Lane(source=source, work=self.work, sink=self.sink, reports=[FakeReport()], chunks_max=2)


@pytest.fixture
async def roads() -> AsyncIterator[Roads]:
    roads = Roads()
    yield roads
    await roads.lanes.close()


async def test_each_partition_has_a_lane_of_its_own(roads: Roads) -> None:
    stuck = roads.work.shut(0)
    roads.lanes.open([roads.source(0), roads.source(1)])
    await wait_until(lambda: roads.memory.of("done") == [1])

    stuck.set()
    await wait_until(lambda: roads.memory.of("done") == [1, 0])


async def test_draining_within_the_budget_delivers_everything(roads: Roads) -> None:
    roads.lanes.open([roads.source(0), roads.source(1)])
    await wait_until(lambda: len(roads.memory.of("started")) == 2)

    assert await roads.lanes.drain()
    assert sorted(roads.memory.of("done")) == [0, 1]


async def test_draining_beyond_the_budget_drops_what_is_late_and_says_so(roads: Roads) -> None:
    roads.work.shut(0)
    roads.lanes.open([roads.source(0), roads.source(1)])
    await wait_until(lambda: len(roads.memory.of("started")) == 2)

    assert not await roads.lanes.drain()
    assert roads.memory.of("done") == [1]


async def test_lanes_can_be_opened_again_after_they_were_drained(roads: Roads) -> None:
    roads.lanes.open([roads.source(0)])
    await roads.lanes.drain()
    roads.lanes.open([roads.source(1)])

    await wait_until(lambda: 1 in roads.memory.of("done"))


async def test_no_lane_is_opened_after_closing(roads: Roads) -> None:
    await roads.lanes.close()
    roads.lanes.open([roads.source(0)])
    await asyncio.sleep(0)

    assert roads.memory == []


async def test_the_error_of_the_first_lane_to_fail_is_kept_by_itself(roads: Roads) -> None:
    roads.sink.error = ConnectionError("the topic is gone")
    roads.lanes.open([roads.source(0)])

    with pytest.raises(ConnectionError, match="the topic is gone"):
        await asyncio.wait_for(roads.lanes.failed, 5)
