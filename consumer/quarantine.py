"""Quarantine: where chunks are run alone, to find the batch that kills or hangs its worker."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeVar, TypeVarTuple

import structlog

from consumer.board import NOWHERE, Place, WorkerState
from consumer.chunk import Chunk, Processed
from consumer.desk import WorkersLost
from consumer.failures import WorkersFailing
from consumer.wire.answers import Form, answer, pack
from consumer.wire.records import decode
from consumer.work import PoolLimits, Work
from consumer.worker import WorkFailed
from consumer.workers import Workers
from domain.batch import Code, Outcomes, Rejection

Args = TypeVarTuple("Args")
T = TypeVar("T")

FAILURES = (MemoryError, WorkFailed, WorkersLost, TimeoutError)

log = structlog.get_logger(__name__)


class Quarantine:
    """One worker, one chunk at a time, so that whoever brings it down is known.

    A chunk is run whole first, for most are innocent. If it fails again its batches are run one by one: that costs one
    call for each good batch and one worker for each bad one, where halving would cost a worker, or a whole time limit,
    at every step.
    """

    def __init__(self, work: Work, limits: PoolLimits, form: Form) -> None:
        self._work = work
        self._limits = limits
        self._form = form
        self._turn = asyncio.Lock()
        self._place = NOWHERE
        self.workers: Workers | None = None
        self._convictions_in_a_row = 0
        self.convictions = 0

    async def process(self, chunk: Chunk) -> Processed:
        """What becomes of each record of *chunk*; batches that cannot be processed alone are rejected.

        Raises:
            WorkersFailing: Batch after batch failed, or the worker cannot be started.
        """
        work = self._work
        async with self._turn:
            self._place = chunk.place
            try:
                return await self._alone(answer, chunk, work.process, work.batch_limits, self._form)
            except FAILURES:
                records = decode(chunk)
                return pack(chunk, records, await self._judge_each([record.value for record in records]), self._form)
            finally:
                await self.stop()

    async def outcomes(self, values: Sequence[bytes | None], place: Place) -> Outcomes:
        """As `process`, of batches that are for no topic."""
        async with self._turn:
            self._place = place
            try:
                return await self._alone(self._work.process, values, self._work.batch_limits)
            except FAILURES:
                return await self._judge_each(values)
            finally:
                await self.stop()

    async def reject(self, value: bytes | None, code: Code, message: str) -> Rejection:
        """The rejection of *value*; without an answer if even looking for its batchid brings the worker down."""
        async with self._turn:
            self._place = NOWHERE
            try:
                return await self._reject(value, code, message, time.time_ns())
            finally:
                await self.stop()

    def note_good_batch(self) -> None:
        """Somewhere a batch has been processed: whatever failed lately, it is not the deployment."""
        self._convictions_in_a_row = 0

    @property
    def busy(self) -> bool:
        """Whether a chunk's case is being heard; every step of that has a limit of its own."""
        return self._turn.locked()

    @property
    def states(self) -> list[WorkerState]:
        """What its worker is at, if there is one at the moment."""
        return self.workers.states if self.workers is not None else []

    async def stop(self) -> None:
        """End the worker, if there is one."""
        if self.workers is not None:
            workers, self.workers = self.workers, None
            await workers.end()

    async def _judge_each(self, values: Sequence[bytes | None]) -> Outcomes:
        judged = [await self._judge(value) for value in values]
        together = Outcomes.of(outcome for alone in judged for outcome in alone)
        together.integers = sum(alone.integers for alone in judged)
        return together

    async def _judge(self, value: bytes | None) -> Outcomes:
        """Run one batch alone, and convict it if its worker does not survive that, time after time."""
        for attempt in range(1, self._limits.lone_attempts_max + 1):
            started_at_ns = time.time_ns()
            try:
                outcomes = await self._alone(self._work.process, [value], self._work.batch_limits)
            except FAILURES as failure:
                code, message, exit_status = self._describe(failure)
                if code is Code.TIMED_OUT or attempt == self._limits.lone_attempts_max:
                    elapsed_ms = (time.time_ns() - started_at_ns) // 1_000_000
                    rejection = await self._convict(value, code, message, started_at_ns)
                    return Outcomes.of([rejection._replace(attempts=attempt, exit=exit_status, elapsed_ms=elapsed_ms)])
            else:
                self.note_good_batch()
                return outcomes
        raise AssertionError("a batch is judged at least once")

    async def _convict(self, value: bytes | None, code: Code, message: str, started_at_ns: int) -> Rejection:
        self.convictions += 1
        self._convictions_in_a_row += 1
        limit = self._limits.convictions_in_a_row_max
        if limit and self._convictions_in_a_row >= limit:
            raise WorkersFailing(
                f"{limit} batches in a row could not be processed, the last because {message}; "
                "that looks like a bad deployment, so nothing more is dead-lettered"
            )
        return await self._reject(value, code, message, started_at_ns)

    async def _reject(self, value: bytes | None, code: Code, message: str, started_at_ns: int) -> Rejection:
        try:
            return await self._alone(self._work.reject, value, code, message, started_at_ns)
        except FAILURES:
            return Rejection(code=code, message=message, details=(), batchid=None, answer=None)

    async def _alone(self, work: Callable[[*Args], T], *args: *Args) -> T:
        """Do *work* in the worker; after a failure the next one gets a new worker."""
        if self.workers is None:
            self.workers = await Workers.start(
                1,
                tray_bytes=self._limits.tray_bytes,
                memory_bytes_max=self._limits.memory_bytes_max,
                timeout_s=self._limits.start_timeout_s,
                call_timeout_s=self._limits.chunk_timeout_s,
            )
        try:
            answer = await self.workers.run(self._place, work, *args)
        except FAILURES:
            self._lost, self.workers = self.workers, None
            await self._lost.end()
            raise
        return answer.value

    def _describe(self, failure: BaseException) -> tuple[Code, str, str | None]:
        """The code of *failure*, what to say of it, and how the worker ended if it did so by itself."""
        match failure:
            case TimeoutError():
                return Code.TIMED_OUT, f"no result after {self._limits.chunk_timeout_s:g} s", self._lost.describe_exit()
            case MemoryError():
                return Code.OUT_OF_MEMORY, "not enough memory for this batch", None
            case WorkersLost():
                return Code.WORKER_CRASHED, "the worker died of this batch", self._lost.describe_exit()
            case _:
                return Code.WORKER_CRASHED, f"the work raised {failure}", None
