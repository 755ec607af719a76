"""A set of worker processes that are started, used and ended together."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from typing import Self, TypeVar, TypeVarTuple

from consumer import worker
from consumer.board import Board, Place, WorkerState
from consumer.desk import CALLS_MAX, CONTEXT, Call, Desk
from consumer.failures import WorkersFailing

Args = TypeVarTuple("Args")
T = TypeVar("T")

STACK_TIMEOUT_S = 1.0
STACK_POLL_S = 0.01


class Workers:
    """Worker processes that share the calls.

    When one dies or hangs, `end` them all, and `start` others: whatever they were at together may be to blame.
    """

    def __init__(
        self,
        count: int,
        known: Sequence[Callable[..., object]],
        *,
        tray_bytes: int,
        memory_bytes_max: int,
        call_timeout_s: float,
        changed: Callable[[], None],
    ) -> None:
        self._board = Board(count, CONTEXT)
        self._asking = asyncio.Lock()
        self._desks = [
            Desk(
                self._board,
                known,
                tray_bytes=tray_bytes,
                memory_bytes_max=memory_bytes_max,
                call_timeout_s=call_timeout_s,
                changed=changed,
            )
            for _ in range(count)
        ]

    @classmethod
    async def start(
        cls,
        count: int,
        *,
        tray_bytes: int,
        memory_bytes_max: int,
        timeout_s: float,
        call_timeout_s: float,
        known: Sequence[Callable[..., object]] = (),
        changed: Callable[[], None] = lambda: None,
    ) -> Self:
        """Start *count* workers, and wait until each can be reached. They can be asked for anything, soonest for what is *known*.

        Of *timeout_s* seconds at most. Each call may take its worker *call_timeout_s*. *changed* is called whenever there is
        room for another one, and when a worker is lost.

        Raises:
            WorkersFailing: They do not start, or not in time.
        """
        workers = cls(
            count,
            known,
            tray_bytes=tray_bytes,
            memory_bytes_max=memory_bytes_max,
            call_timeout_s=call_timeout_s,
            changed=changed,
        )
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

    async def run(self, place: Place, work: Callable[[*Args], T], *args: *Args) -> worker.Answer[T]:
        """Do *work* in a worker that has room; `Call` says of what, and what it raises."""
        call = Call(place, work, args, asyncio.get_running_loop().create_future())
        self.ask(call)
        answer: worker.Answer[T] = await call.answer
        return answer

    def ask(self, call: Call) -> None:
        """Lay *call* before a worker; there must be room."""
        min(self._desks, key=lambda desk: desk.calls).ask(call)

    @property
    def has_room(self) -> bool:
        """Whether another call can be laid before one. A call that was given up keeps its room until it is answered."""
        return any(desk.calls < CALLS_MAX for desk in self._desks)

    @property
    def lost(self) -> bool:
        """Whether one of them has died, or has been killed for it had its time."""
        return any(desk.lost for desk in self._desks)

    async def end(self) -> None:
        """Kill the workers and wait until they are gone."""
        await asyncio.gather(*(desk.end() for desk in self._desks))
        self._board.close()

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
