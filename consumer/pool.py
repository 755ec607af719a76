"""The pool: record batches in, answers out, whatever a batch may do to its worker."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar, TypeVarTuple

import structlog

from consumer import metrics
from consumer.board import NOWHERE, Place, WorkerState
from consumer.chunk import Chunk, Processed, Times
from consumer.desk import CALLS_MAX, WorkersLost
from consumer.quarantine import Quarantine
from consumer.wire.answers import Form, answer
from consumer.work import PoolLimits, Work
from consumer.worker import WorkFailed
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
        self._slots = asyncio.Semaphore(CALLS_MAX * limits.workers)
        self._replacing = asyncio.Lock()
        self._workers: Workers | None = None
        self.quarantine = Quarantine(work, limits, form)
        self.rebuilds = 0

    async def start(self) -> None:
        """Start the workers. To be done before any socket is opened.

        Raises:
            WorkersFailing: They cannot be started.
        """
        preload(answer.__module__, self._work.process.__module__)
        self._workers = await self._start_workers()

    async def process(self, chunk: Chunk) -> Processed:
        """What becomes of each record of *chunk*.

        Raises:
            WorkersFailing: Batch after batch has failed, or the workers cannot be started again.
        """
        alone = partial(self.quarantine.process, chunk)
        return await self._do(alone, chunk.place, chunk.times, self._answer, chunk)

    async def outcomes(self, values: Sequence[bytes | None], place: Place = NOWHERE) -> Outcomes:
        """One outcome per value, in order: of batches that are for no topic.

        Raises:
            WorkersFailing: As for `process`.
        """
        alone = partial(self.quarantine.outcomes, values, place)
        return await self._do(alone, place, Times(), self._work.process, values, self._work.batch_limits)

    async def _do(
        self,
        alone: Callable[[], Awaitable[T]],
        place: Place,
        times: Times,
        work: Callable[[*Args], T],
        *args: *Args,
    ) -> T:
        """Do *work* in a worker; if that fails, do it *alone*, in quarantine."""
        async with self._slots:
            workers = await self._current_workers()
            # Twice the limit, because a chunk may wait behind another one.
            timeout_s = 2 * self._limits.chunk_timeout_s
            try:
                answered = await workers.run(timeout_s, place, work, *args)
            except (MemoryError, WorkFailed, WorkersLost, TimeoutError) as failure:
                log.warning(
                    "chunk into quarantine",
                    partition=place.partition,
                    offset=place.first_offset,
                    next_offset=place.next_offset,
                    error=repr(failure),
                )
                metrics.QUARANTINES.inc()
                if isinstance(failure, TimeoutError):
                    metrics.CHUNK_TIMEOUTS.inc()
                if isinstance(failure, WorkersLost | TimeoutError):
                    await self._replace(workers)
            else:
                self.quarantine.note_good_batch()
                times.began, times.ended = answered.began, answered.ended
                return answered.value
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
        if self._workers is not None:
            await self._workers.end()
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
        """What keeps the workers from answering; None while they do, or have nothing to answer."""
        if self._workers is None:
            return "workers are being started"
        if self._workers.silent_s > self._limits.chunk_timeout_s:
            return f"no answer for {self._workers.silent_s:.0f} s"
        return None

    async def _current_workers(self) -> Workers:
        if self._workers is not None:
            return self._workers
        async with self._replacing:
            if self._workers is None:
                self._workers = await self._start_workers()
            return self._workers

    async def _replace(self, lost: Workers) -> None:
        async with self._replacing:
            if self._workers is lost:  # the first chunk to notice does it for all
                self._workers = None
                await lost.end()
                self._workers = await self._start_workers()
                self.rebuilds += 1
                metrics.WORKER_REBUILDS.inc()
                log.warning("workers replaced", workers=self._limits.workers)

    async def _start_workers(self) -> Workers:
        return await Workers.start(
            self._limits.workers,
            known=(self._answer,),
            tray_bytes=self._limits.tray_bytes,
            memory_bytes_max=self._limits.memory_bytes_max,
            timeout_s=self._limits.start_timeout_s,
        )
