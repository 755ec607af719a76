"""A worker process as its parent sees it: calls are laid before it, and it answers them in that order."""

import asyncio
import contextlib
import multiprocessing
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from consumer import worker
from consumer.board import Board, Place
from consumer.tray import Tray

END_TIMEOUT_S = 5.0
# One that it works on and the next one, so that it never idles while the event loop is busy. Each has a tray.
CALLS_MAX = 2

# Never fork: a fork of a process with threads and sockets inherits locks that nobody will release. The fork server is
# a process of its own that has loaded the work once; a worker is ready in milliseconds, also after a crash.
CONTEXT = multiprocessing.get_context("forkserver")
# Whoever starts a process looks after all others: multiprocessing asks each of its children for its end, and stumbles over
# one that another thread is just closing, or reads the exit code that this one waits for.
CHILDREN = threading.Lock()


class WorkersLost(Exception):
    """A worker has died with calls in flight; none of them has an answer, whoever is to blame."""


class Call(NamedTuple):
    """What a worker is asked for: to do *work* with *args*, which are records of *place*. Who cancels the answer gives it up.

    The answer is a `worker.Answer`, or it raises:

    TimeoutError: The worker has had its time.
    WorkersLost: It has died; perhaps of another call.
    MemoryError: There was not enough memory for it.
    WorkFailed: The work raised something else.
    """

    place: Place
    work: Callable[..., object]
    args: tuple[object, ...]
    answer: "asyncio.Future[Any]"


class Desk(asyncio.Protocol):
    """One worker, from before its start to after its end.

    `pid` is its process id, once it has one. It is `lost` when it cannot answer any more.

    Answers are taken as they come from the socket: through a stream, and a task that reads it, each would be later.
    """

    def __init__(
        self,
        board: Board,
        known: Sequence[Callable[..., object]],
        *,
        tray_bytes: int,
        memory_bytes_max: int,
        call_timeout_s: float,
        changed: Callable[[], None],
    ) -> None:
        """*changed* is called whenever there is room for another call, and when the worker is lost.

        A worker that needs more than *call_timeout_s* seconds for a call is killed, also if nobody waits for the answer any
        more. Functions that are *known* are sent once, not with each call.
        """
        self._call_timeout_s = call_timeout_s
        self._changed = changed
        self._known = {work: number for number, work in enumerate(known)}
        self._trays = deque(Tray.of(tray_bytes) for _ in range(CALLS_MAX))
        self._calls = deque[tuple[Tray, asyncio.Future[Any]]]()
        self._deadline: asyncio.TimerHandle | None = None  # of the first of them
        self._ours, self._theirs = socket.socketpair()
        self._process = CONTEXT.Process(
            target=worker.serve,
            args=(self._theirs, tuple(self._trays), memory_bytes_max, board, tuple(known)),
            daemon=True,
        )
        self._starting: asyncio.Future[None] | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self.pid: int | None = None
        self.lost = False
        self._exit_code: int | None = None

    async def start(self) -> None:
        """Start the process, and wait until it can be reached.

        Raises:
            OSError: It could not be started.
            EOFError: It has ended at once.
        """
        # In a thread: the fork server may have to be started first, and has to answer.
        self._starting = asyncio.ensure_future(asyncio.to_thread(self._begin))
        await asyncio.shield(self._starting)
        self.pid = self._process.pid
        self._theirs.close()  # so that its end closes the connection
        self._transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, sock=self._ours)
        await self._ready

    def ask(self, call: Call) -> None:
        """Lay *call* before the worker, behind fewer than `CALLS_MAX`. To give it up later frees neither worker nor tray."""
        if self.lost or self._transport is None:
            call.answer.set_exception(WorkersLost())
            return
        tray = self._trays[0]
        # Every function and class in a message is looked up by its name on both sides: of a lone batch's time that is much.
        work = self._known.get(call.work, call.work)
        try:
            message = tray.pack((work, tuple(call.place), call.args))
        except Exception as error:  # noqa: BLE001 - whoever asks is to hear of it, whatever it is
            call.answer.set_exception(error)
            return
        self._trays.rotate(-1)
        self._calls.append((tray, call.answer))
        self._transport.writelines((worker.LENGTH.pack(len(message)), message))
        if self._deadline is None:
            self._set_deadline()

    @property
    def calls(self) -> int:
        """How many have no answer yet."""
        return len(self._calls)

    async def end(self) -> None:
        """Kill the process and wait until it is gone. SIGKILL, for it is deaf to everything milder."""
        self._lose()  # a late answer would be for nobody
        self._ready.cancel()  # a start that was given up may not wait for it yet, and nobody would take its error
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_TIMEOUT_S):
                if self._starting is not None:
                    await asyncio.wait([self._starting])  # a start that was given up goes on in its thread
                if self._process.pid is not None:
                    self._process.kill()
                    await asyncio.to_thread(self._reap)
        if self._transport is not None:
            self._transport.abort()
        self._ours.close()
        self._theirs.close()
        for tray in self._trays:
            tray.close()

    def _begin(self) -> None:
        with CHILDREN:
            self._process.start()

    def _reap(self) -> None:
        with CHILDREN:
            self._process.join()
            self._exit_code = self._process.exitcode
            self._process.close()

    def describe_exit(self) -> str:
        """How the process ended, once it has: the signal's name, or the exit code."""
        code = self._exit_code
        return signal.Signals(-code).name if code is not None and code < 0 else str(code)

    def data_received(self, data: bytes) -> None:
        """Take the answers that are complete."""
        self._received += data
        while len(self._received) >= worker.LENGTH.size:
            (size,) = worker.LENGTH.unpack_from(self._received)
            end = worker.LENGTH.size + size
            if len(self._received) < end:
                break
            message = bytes(self._received[worker.LENGTH.size : end])
            del self._received[:end]
            if self._calls:
                self._take(message)
            elif not self._ready.done():  # start may have been given up
                self._ready.set_result(None)

    def _take(self, message: bytes) -> None:
        tray, answer = self._calls[0]
        outcome = None if answer.done() else tray.unpack(message)
        self._calls.popleft()  # not before: what cannot be unpacked ends the connection, and this call with it
        _settle(answer, outcome)
        self._clear_deadline()
        if self._calls:
            self._set_deadline()
        self._changed()

    def _set_deadline(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(self._call_timeout_s, self._kill)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _kill(self) -> None:
        """The first call has had its time. To give it up would leave the worker at it."""
        _settle(self._calls[0][1], TimeoutError())
        self._process.kill()
        self._lose()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """The process has ended."""
        if not self._ready.done():
            self._ready.set_exception(EOFError())
        self._lose()

    def _lose(self) -> None:
        self._clear_deadline()
        for _, answer in self._calls:
            _settle(answer, WorkersLost())
        self._calls.clear()
        self.lost = True
        self._changed()


def _settle(answer: "asyncio.Future[Any]", outcome: Any) -> None:
    if answer.done():
        return  # whoever asked has given it up
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(worker.Answer(*outcome))
