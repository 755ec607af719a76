"""A set of worker processes that are started, used and ended together."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar, TypeVarTuple

from consumer import worker
from consumer.board import Board, Place, WorkerState
from consumer.desk import CALLS_MAX, CONTEXT, Desk
from consumer.failures import WorkersFailing

Args = TypeVarTuple("Args")
T = TypeVar("T")

# The answer to a call after such a pause is watched for, at first: whoever sleeps is woken later than it comes, and of a
# lone batch's time that is much. It takes a core for a twentieth of its time at most, and under load not at all.
PAUSE_S = 0.01
WATCH_S = 0.0005
STACK_TIMEOUT_S = 1.0
STACK_POLL_S = 0.01


class Workers:
    """Worker processes that share the calls.

    When one dies or hangs, `end` them all, and `start` others: whatever they were at together may be to blame.
    """

    def __init__(
        self, count: int, known: Sequence[Callable[..., object]], *, tray_bytes: int, memory_bytes_max: int
    ) -> None:
        self._board = Board(count, CONTEXT)
        self._asking = asyncio.Lock()
        # A call that was given up keeps its room until it is answered.
        self._room = asyncio.Semaphore(CALLS_MAX * count)
        self._desks = [
            Desk(
                self._board,
                known,
                tray_bytes=tray_bytes,
                memory_bytes_max=memory_bytes_max,
                answered=self._note_answer,
            )
            for _ in range(count)
        ]
        self._calls = 0
        self._answered_at = 0.0

    @classmethod
    async def start(
        cls,
        count: int,
        *,
        tray_bytes: int,
        memory_bytes_max: int,
        timeout_s: float,
        known: Sequence[Callable[..., object]] = (),
    ) -> Self:
        """Start *count* workers, and wait until each can be reached. They can be asked for anything, soonest for what is *known*.

        Raises:
            WorkersFailing: They do not start, or not in time.
        """
        workers = cls(count, known, tray_bytes=tray_bytes, memory_bytes_max=memory_bytes_max)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(*(desk.start() for desk in workers._desks))
        except (OSError, EOFError, TimeoutError) as error:
            await workers.end()
            raise WorkersFailing(f"the workers cannot be started: {error!r}") from error
        except BaseException:
            await workers.end()
            raise
        return workers

    async def run(self, timeout_s: float, place: Place, work: Callable[[*Args], T], *args: *Args) -> worker.Answer[T]:
        """Do *work* in a worker, on the records of *place*.

        Raises:
            TimeoutError: There is no answer after *timeout_s*. The worker is still busy: giving up a call frees no core.
            WorkersLost: A worker died; perhaps this call's, perhaps another.
            MemoryError: There was not enough memory for it.
            WorkFailed: The work raised something else.
        """
        watch_s = 0.0
        if not self._calls:
            now = time.monotonic()
            watch_s = WATCH_S if now - self._answered_at > PAUSE_S else 0.0
            self._answered_at = now  # there was nothing to answer
        self._calls += 1
        try:
            async with asyncio.timeout(timeout_s):
                await self._room.acquire()
                return await min(self._desks, key=lambda desk: desk.calls).ask(place, work, args, watch_s)
        finally:
            self._calls -= 1

    def _note_answer(self) -> None:
        self._answered_at = time.monotonic()
        self._room.release()

    async def end(self) -> None:
        """Kill the workers and wait until they are gone."""
        await asyncio.gather(*(desk.end() for desk in self._desks))
        self._board.close()

    @property
    def silent_s(self) -> float:
        """How long, in seconds, there have been calls and none was answered; 0 when there are none."""
        return time.monotonic() - self._answered_at if self._calls else 0.0

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [desk.pid for desk in self._desks if desk.pid is not None]

    @property
    def states(self) -> list[WorkerState]:
        """What each worker is at."""
        return self._board.read()

    async def stack(self, pid: int) -> list[str]:
        """Where the worker *pid* is in its code, the innermost call first; it goes on meanwhile, and may hang in anything.

        What it has told within `STACK_TIMEOUT_S`: nothing, if it is gone, is stopped itself, or has not begun yet.
        """
        if pid not in {state.pid for state in self.states}:
            return []
        async with self._asking:  # for they all write into one file
            lines: list[str] = []
            with contextlib.suppress(TimeoutError, ProcessLookupError):
                self._board.stacks.truncate(0)
                os.kill(pid, signal.SIGUSR1)
                async with asyncio.timeout(STACK_TIMEOUT_S):
                    while not (lines and lines[-1].endswith(("in <module>", "..."))):
                        await asyncio.sleep(STACK_POLL_S)
                        lines = self._told()
            return lines

    def _told(self) -> list[str]:
        stacks = self._board.stacks.fileno()
        dump = os.pread(stacks, os.fstat(stacks).st_size, 0).decode(errors="replace")
        return [line.strip() for line in dump.splitlines()[1:]]  # the first one is a title

    def describe_exit(self) -> str:
        """How the first worker ended, once it has: the signal's name, or the exit code."""
        return self._desks[0].describe_exit()


def preload(*modules: str) -> None:
    """Have the fork server import *modules* once, so that workers need not. Before the first start, or never."""
    CONTEXT.set_forkserver_preload(["consumer.worker", *modules])
