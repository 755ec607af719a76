"""All the lanes of an instance: opened and drained together, as partitions come and go."""

import asyncio
from collections.abc import Callable, Collection

import structlog

from consumer import metrics
from consumer.lane import Lane, Source

log = structlog.get_logger(__name__)


class Lanes:
    """A running lane for each partition of the assignment.

    `failed` has the error of the first lane that could not go on. Its partition is held where it is; that is the whole
    instance's business, for nobody else can have the partition while this one lives.
    """

    def __init__(self, make_lane: Callable[[Source], Lane], *, drain_timeout_s: float) -> None:
        self._make_lane = make_lane
        self._drain_timeout_s = drain_timeout_s
        self._running: dict[asyncio.Task[None], Lane] = {}
        self._closed = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def open(self, sources: Collection[Source]) -> None:
        """Open a lane for each of *sources*, unless the instance is stopping."""
        if self._closed:
            return
        for source in sources:
            lane = self._make_lane(source)
            task = asyncio.create_task(lane.run())
            task.add_done_callback(self._ended)
            self._running[task] = lane

    async def drain(self) -> bool:
        """Finish what is in flight, and end every lane; false if the drain budget was too short and work was dropped.

        What is dropped has no committed offset, so whoever has the partition next does it again.
        """
        if not self._running:
            return True
        in_flight = sum(len(lane.in_flight) for lane in self._running.values())
        for lane in self._running.values():
            lane.drain()
        _, late = await asyncio.wait(self._running, timeout=self._drain_timeout_s)
        if late:
            log.warning("drain budget spent, work dropped", lanes=len(late))
            dropped = sum(len(self._running[task].in_flight) for task in late)
            for task in late:
                task.cancel()
            await asyncio.wait(late)
            metrics.DROPPED_CHUNKS.inc(dropped)
            in_flight -= dropped
        metrics.DRAINED_CHUNKS.inc(in_flight)
        return not late

    async def close(self) -> bool:
        """Drain, and open no lane ever after."""
        self._closed = True
        return await self.drain()

    @property
    def running(self) -> Collection[Lane]:
        """The lanes that run."""
        return self._running.values()

    @property
    def open_partitions(self) -> set[int]:
        """The partitions whose lanes run."""
        return {lane.partition for lane in self._running.values()}

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_exception(first_cause(error))


def first_cause(error: BaseException) -> BaseException:
    """The first error inside of nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
