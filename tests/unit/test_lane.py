"""A lane: nothing is committed before it is published, nothing overtakes, nothing piles up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from consumer import lane
from consumer.lane import Lane, StartOver
from tests.support.fakes import FakeReport, FakeSink, FakeSource, FakeWork, Memory
from tests.support.records import chunk_of
from tests.support.waiting import wait_until


class Road:
    """A lane with everything around it made by hand; its chunks begin at offsets 0, 10, 20 ..."""

    def __init__(self, *, chunks: int, chunks_max: int = 2, linger_s: float = 0.0) -> None:
        self.memory = Memory()
        self.source = FakeSource(
            self.memory, [chunk_of([b"x"] * 10, first_offset=10 * number) for number in range(chunks)]
        )
        self.work = FakeWork(self.memory)
        self.sink = FakeSink(self.memory)
        self.report = FakeReport()
        self.lane = Lane(
            source=self.source,
            work=self.work,
            sink=self.sink,
            reports=[self.report],
            chunks_max=chunks_max,
            linger_s=linger_s,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.lane.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_chunk_is_published_before_it_is_marked_done() -> None:
    road = Road(chunks=1)
    async with road.running():
        await wait_until(lambda: road.memory.of("done"))

    assert [event for event, _ in road.memory] == ["fetched", "started", "processed", "publishing", "published", "done"]
    assert road.report.batches == 10


async def test_what_is_in_flight_can_be_looked_at() -> None:
    road = Road(chunks=3)
    gate = road.work.shut(10)
    async with road.running():
        await wait_until(lambda: road.memory.of("done") == [0] and len(road.lane.in_flight) == 2)
        assert [chunk.first_offset for chunk in road.lane.in_flight] == [10, 20]
        gate.set()
        await wait_until(lambda: not road.lane.in_flight)

    assert road.memory.of("done") == [0, 10, 20]


async def test_nothing_is_marked_done_when_publishing_fails() -> None:
    road = Road(chunks=3)
    road.sink.error = ConnectionError("no broker")
    async with road.running() as task:
        await asyncio.wait([task], timeout=5)

    assert isinstance(task.exception(), ExceptionGroup)
    assert road.memory.of("done") == []


async def test_nothing_is_marked_done_when_processing_fails() -> None:
    road = Road(chunks=3)
    road.work.error = RuntimeError("the pool is gone")
    async with road.running() as task:
        await asyncio.wait([task], timeout=5)

    assert isinstance(task.exception(), ExceptionGroup)
    assert road.memory.of("published") == []


async def test_a_later_chunk_never_overtakes_an_earlier_one() -> None:
    road = Road(chunks=2)
    slow = road.work.shut(0)
    async with road.running():
        await wait_until(lambda: road.memory.of("processed") == [10])
        assert road.memory.of("publishing") == []
        slow.set()
        await wait_until(lambda: len(road.memory.of("done")) == 2)

    assert road.memory.of("published") == [0, 10]
    assert road.memory.of("done") == [0, 10]


async def test_what_is_finished_by_then_is_published_together_with_the_chunk_whose_turn_it_is() -> None:
    road = Road(chunks=4, chunks_max=3)
    slow = road.work.shut(0)
    async with road.running():
        await wait_until(lambda: road.memory.of("processed") == [10, 20])
        slow.set()
        await wait_until(lambda: len(road.memory.of("done")) == 4)

    assert road.sink.runs == [[0, 10, 20], [30]]


async def test_a_finished_chunk_does_not_wait_for_those_behind_it() -> None:
    road = Road(chunks=2)
    slow = road.work.shut(10)
    async with road.running():
        await wait_until(lambda: road.memory.of("done") == [0])
        slow.set()
        await wait_until(lambda: road.memory.of("done") == [0, 10])

    assert road.sink.runs == [[0], [10]]


async def test_where_a_run_has_a_price_a_finished_chunk_waits_for_the_one_that_is_being_processed() -> None:
    road = Road(chunks=2, chunks_max=4, linger_s=30)
    slow = road.work.shut(10)
    async with road.running():
        await wait_until(lambda: road.memory.of("processed") == [0])
        assert road.memory.of("publishing") == []
        slow.set()
        await wait_until(lambda: len(road.memory.of("done")) == 2)

    assert road.sink.runs == [[0, 10]]


async def test_it_waits_no_longer_than_it_may() -> None:
    road = Road(chunks=2, chunks_max=4, linger_s=0.01)
    slow = road.work.shut(10)
    async with road.running():
        await wait_until(lambda: road.memory.of("done") == [0])
        slow.set()
        await wait_until(lambda: road.memory.of("done") == [0, 10])


async def test_two_of_the_chunks_in_flight_are_not_waited_for_so_that_the_workers_have_something_to_do() -> None:
    road = Road(chunks=6, chunks_max=6, linger_s=30)
    slow = road.work.shut(40)
    async with road.running():
        await wait_until(lambda: road.memory.of("done") == [0, 10, 20, 30])
        slow.set()
        await wait_until(lambda: len(road.memory.of("done")) == 6)

    assert road.sink.runs == [[0, 10, 20, 30], [40, 50]]


async def test_a_chunk_with_none_behind_it_waits_for_nobody() -> None:
    road = Road(chunks=1, chunks_max=4, linger_s=30)
    async with road.running():
        await wait_until(lambda: road.memory.of("done") == [0])


@pytest.mark.parametrize("chunks_max", [1, 2, 3])
async def test_a_lane_with_enough_in_flight_does_not_fetch(chunks_max: int) -> None:
    road = Road(chunks=6, chunks_max=chunks_max)
    road.sink.gate = asyncio.Event()
    async with road.running():
        await wait_until(lambda: len(road.memory.of("processed")) == chunks_max)
        await asyncio.sleep(0)
        assert len(road.memory.of("fetched")) == chunks_max
        road.sink.gate.set()
        await wait_until(lambda: len(road.memory.of("done")) == 6)


async def test_the_pool_computes_while_the_lane_publishes() -> None:
    road = Road(chunks=2)
    road.sink.gate = asyncio.Event()
    async with road.running():
        await wait_until(lambda: road.memory.of("processed") == [0, 10])

        assert road.memory.of("published") == []


async def test_draining_delivers_what_is_in_flight_and_fetches_nothing_more() -> None:
    road = Road(chunks=6)
    slow = road.work.shut(0)
    async with road.running() as task:
        await wait_until(lambda: road.memory.of("processed") == [10])
        road.lane.drain()
        slow.set()
        await asyncio.wait_for(task, 5)

    assert road.memory.of("fetched") == road.memory.of("done") == [0, 10]


async def test_an_idle_lane_is_drained_at_once() -> None:
    road = Road(chunks=0)
    async with road.running() as task:
        await road.source.is_open.wait()
        road.lane.drain()
        await asyncio.wait_for(task, 5)

    assert road.memory == []


async def test_a_lane_that_is_drained_before_it_runs_does_nothing() -> None:
    road = Road(chunks=1)
    road.lane.drain()
    async with road.running() as task:
        await asyncio.wait_for(task, 5)

    assert road.memory == []


async def test_a_lane_that_must_start_over_opens_its_sink_before_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "START_OVER_WAIT_S", 0)
    road = Road(chunks=2, chunks_max=1)
    road.sink.error = StartOver("fenced")
    async with road.running():
        await wait_until(lambda: road.memory.of("publishing") == [0, 10])
        road.sink.error = None
        await wait_until(lambda: road.sink.opened == road.source.opened == 3)

    assert road.memory.of("done") == []
    assert road.sink.closed == 3


async def test_a_lane_that_starts_over_can_be_drained_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "START_OVER_WAIT_S", 0.05)
    road = Road(chunks=1)
    road.sink.error = StartOver("fenced")
    async with road.running() as task:
        await wait_until(lambda: road.sink.closed == 1)
        road.lane.drain()
        await asyncio.wait_for(task, 5)

    assert road.memory.of("done") == []
