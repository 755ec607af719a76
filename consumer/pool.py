"""The pool: record batches in, answers out, whatever a batch may do to its worker."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

import structlog

from consumer import metrics
from consumer.board import NOWHERE, Place, WorkerState
from consumer.chunk import Chunk, Processed, Times
from consumer.desk import Call
from consumer.quarantine import FAILURES, Quarantine
from consumer.wire.answers import Form, answer
from consumer.work import PoolLimits, Work
from consumer.workers import Workers, preload
from domain.batch import Code, Outcomes, Rejection

Args = TypeVarTuple("Args")
T = TypeVar("T")

STACKS_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class Pool:
    """Runs the work in worker processes.

    A chunk whose worker dies, hangs or runs out of memory is innocent until run alone: it goes into quarantine, with
    all others that were in flight, and the pool is back for everybody else while its case is heard.
    """

    def __init__(self, work: Work, limits: PoolLimits, form: Form) -> None:
        self._work = work
        self._limits = limits
        self._answer = partial(answer, process=work.process, limits=work.batch_limits, form=form)
        self._waiting = deque[Call]()
        self._workers: Workers | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self.quarantine = Quarantine(work, limits, form)
        self.rebuilds = 0

    async def start(self) -> None:
        """Start the workers. To be done before any socket is opened.

        Raises:
            WorkersFailing: They cannot be started.
        """
        preload(answer.__module__, self._work.process.__module__)
        self._workers = await self._start_workers()

    def process(self, chunk: Chunk) -> Coroutine[Any, Any, Processed]:
        """What becomes of each record of *chunk*. Where a worker has room, it is asked at once: before this is awaited.

        Raises:
            WorkersFailing: Batch after batch has failed, or the workers cannot be started again.
        """
        alone = partial(self.quarantine.process, chunk)
        return self._answer_to(self._ask(chunk.place, self._answer, chunk), alone, chunk.times)

    async def outcomes(self, values: Sequence[bytes | None], place: Place = NOWHERE) -> Outcomes:
        """One outcome per value, in order: of batches that are for no topic.

        Raises:
            WorkersFailing: As for `process`.
        """
        alone = partial(self.quarantine.outcomes, values, place)
        return await self._answer_to(
            self._ask(place, self._work.process, values, self._work.batch_limits), alone, Times()
        )

    def _ask(self, place: Place, work: Callable[[*Args], object], *args: *Args) -> Call:
        call = Call(place, work, args, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._hand_out()
        return call

    def _hand_out(self) -> None:
        """Lay what waits before the workers, as far as they have room. Have them replaced when one is lost."""
        if self._workers is not None and self._workers.lost:
            self._replacing = asyncio.create_task(self._replace(self._workers))
            self._replacing.add_done_callback(self._replaced)
            self._workers = None
            self.rebuilds += 1
            metrics.WORKER_REBUILDS.inc()
        while self._waiting and self._workers is not None and self._workers.has_room:
            call = self._waiting.popleft()
            if not call.answer.done():  # it has not been given up
                self._workers.ask(call)
        if self._failure is not None:
            for call in self._waiting:
                if not call.answer.done():
                    call.answer.set_exception(self._failure)
            self._waiting.clear()

    async def _answer_to(self, call: Call, alone: Callable[[], Awaitable[T]], times: Times) -> T:
        """What a worker answers; if that fails, what comes of it *alone*, in quarantine."""
        try:
            answered = await call.answer
        except FAILURES as failure:
            log.warning(
                "chunk into quarantine",
                partition=call.place.partition,
                offset=call.place.first_offset,
                next_offset=call.place.next_offset,
                error=repr(failure),
            )
            metrics.QUARANTINES.inc()
            if isinstance(failure, TimeoutError):
                metrics.CHUNK_TIMEOUTS.inc()
        else:
            self.quarantine.note_good_batch()
            times.began, times.ended = answered.began, answered.ended
            value: T = answered.value
            return value
        times.began = time.monotonic()
        outcome = await alone()
        times.ended = time.monotonic()
        return outcome

    async def reject(self, value: bytes | None, code: Code, message: str) -> Rejection:
        """The rejection of a value for a reason that was found outside of the worker.

        Raises:
            WorkersFailing: The workers cannot be started again.
        """
        return await self.quarantine.reject(value, code, message)

    async def stop(self) -> None:
        """End all workers. What they were doing is lost, so nothing should be in flight that is still wanted."""
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.wait([self._replacing])
        workers, self._workers = self._workers, None  # so that nobody replaces them
        if workers is not None:
            await workers.end()
        await self.quarantine.stop()

    @property
    def pids(self) -> Sequence[int]:
        """The process ids of the workers, without the one in quarantine."""
        return self._workers.pids if self._workers is not None else []

    @property
    def states(self) -> list[WorkerState]:
        """What each worker is at, without the one in quarantine."""
        return self._workers.states if self._workers is not None else []

    async def stacks(self) -> dict[int, list[str]]:
        """Where each worker is in its code, by process id, the innermost call first; the one in quarantine comes last.

        What can be had within `STACKS_TIMEOUT_S`; nothing of a worker that is gone or stopped.
        """
        stacks: dict[int, list[str]] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(STACKS_TIMEOUT_S):
                for workers in filter(None, (self._workers, self.quarantine.workers)):
                    for pid in workers.pids:
                        stacks[pid] = await workers.stack(pid)
        return stacks

    @property
    def trouble(self) -> str | None:
        """What keeps calls waiting; None while there are workers, each of which is given up when it does not answer."""
        if self._failure is not None:
            return f"workers cannot be replaced: {self._failure}"
        if self._workers is None:
            return "workers are being started"
        return None

    async def _replace(self, lost: Workers) -> None:
        await lost.end()  # all of them: whatever they were at together may be to blame
        self._workers = await self._start_workers()
        log.warning("workers replaced", workers=self._limits.workers)

    def _replaced(self, replacing: "asyncio.Task[None]") -> None:
        if not replacing.cancelled():
            self._failure = replacing.exception()
        self._hand_out()

    async def _start_workers(self) -> Workers:
        return await Workers.start(
            self._limits.workers,
            known=(self._answer,),
            tray_bytes=self._limits.tray_bytes,
            memory_bytes_max=self._limits.memory_bytes_max,
            timeout_s=self._limits.start_timeout_s,
            call_timeout_s=self._limits.chunk_timeout_s,
            changed=self._hand_out,
        )
