"""A set of worker processes that are started, used and ended together."""

import asyncio
import contextlib
import fcntl
import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ParamSpec, Self, TypeVar

from consumer import worker
from consumer.board import Board, Place, WorkerState
from consumer.failures import WorkersFailing

P = ParamSpec("P")
T = TypeVar("T")

END_TIMEOUT_S = 5.0
STACK_TIMEOUT_S = 1.0
STACK_POLL_S = 0.01
PIPE_BYTES = 1 << 20  # what Linux lets anybody have

# Never fork: a fork of a process with threads and sockets inherits locks that nobody will release. The fork server is
# a process of its own that has loaded the work once; a worker is ready in milliseconds, also after a crash.
CONTEXT = multiprocessing.get_context("forkserver")


class WorkersLost(Exception):
    """A worker has died with calls in flight; none of them has an answer, whoever is to blame."""


class Workers:
    """Worker processes behind one executor.

    When one dies or hangs, the executor is of no more use: `end` it, and `start` another. Recycling by the executor's
    own `max_tasks_per_child` is not an option, for it hangs (cpython 115634).
    """

    def __init__(self, executor: ProcessPoolExecutor, board: Board) -> None:
        self._executor = executor
        self._board = board
        self._asking = asyncio.Lock()
        # Kept here, because the executor forgets its processes when it breaks.
        self._processes = list((executor._processes or {}).values())  # noqa: SLF001
        self._calls = 0
        self._answered_at = 0.0

    @classmethod
    async def start(cls, count: int, *, memory_bytes_max: int, timeout_s: float) -> Self:
        """Start *count* workers, and wait until each can be reached.

        Raises:
            WorkersFailing: They do not start, or not in time.
        """
        board = Board(count, CONTEXT)
        executor = ProcessPoolExecutor(
            count, mp_context=CONTEXT, initializer=worker.prepare, initargs=(memory_bytes_max, board)
        )
        widen(executor)
        try:
            async with asyncio.timeout(timeout_s):
                # In a thread: submitting starts a process, and waits for the fork server to answer.
                calls = await asyncio.to_thread(lambda: [executor.submit(worker.ready) for _ in range(count)])
                await asyncio.gather(*map(asyncio.wrap_future, calls))
        except (BrokenProcessPool, OSError, TimeoutError) as error:
            await cls(executor, board).end()
            raise WorkersFailing(f"the workers cannot be started: {error!r}") from error
        return cls(executor, board)

    async def run(
        self, timeout_s: float, place: Place, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> worker.Answer[T]:
        """Do *work* in a worker, on the records of *place*.

        Raises:
            TimeoutError: There is no answer after *timeout_s*. The worker is still busy: giving up a call frees no core.
            WorkersLost: A worker died; perhaps this call's, perhaps another.
            MemoryError: There was not enough memory for it.
            WorkFailed: The work raised something else.
        """
        call = functools.partial(worker.run, place, work, *args, **kwargs)
        if not self._calls:
            self._answered_at = time.monotonic()  # there was nothing to answer
        self._calls += 1
        try:
            async with asyncio.timeout(timeout_s):
                answer = await asyncio.get_running_loop().run_in_executor(self._executor, call)
        except BrokenProcessPool as broken:
            raise WorkersLost from broken
        finally:
            self._calls -= 1
        self._answered_at = time.monotonic()
        return answer

    async def end(self) -> None:
        """Kill the workers and wait until they are gone. SIGKILL, for they are deaf to everything milder."""
        for process in self._processes:
            process.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_TIMEOUT_S):
                await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._board.close()

    @property
    def silent_s(self) -> float:
        """How long, in seconds, there have been calls and none was answered; 0 when there are none."""
        return time.monotonic() - self._answered_at if self._calls else 0.0

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [process.pid for process in self._processes if process.pid is not None]

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
        code = self._processes[0].exitcode if self._processes else None
        return signal.Signals(-code).name if code is not None and code < 0 else str(code)


def widen(executor: ProcessPoolExecutor) -> None:
    """Let a whole chunk into the pipes to the workers and back at once, where the system allows it.

    By 64 KiB at a time, as is usual, a chunk of a mebibyte takes three times as long on its way.
    """
    queues: list[Any] = [executor._call_queue, executor._result_queue]  # type: ignore[attr-defined] # noqa: SLF001
    for queue in queues:
        # AttributeError: another system than Linux. OSError: a user may have so many pipes of that size, and no more.
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(queue._writer.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # noqa: SLF001


def preload(*modules: str) -> None:
    """Have the fork server import *modules* once, so that workers need not. Before the first start, or never."""
    CONTEXT.set_forkserver_preload(["consumer.worker", *modules])
