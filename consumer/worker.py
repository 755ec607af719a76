"""What runs inside a worker process, around the work itself.

Workers import this module, `domain`, and nothing else of the service.
"""

import contextlib
import faulthandler
import os
import resource
import signal
import struct
import threading
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from multiprocessing import connection, parent_process
from socket import socket
from typing import Generic, NamedTuple, ParamSpec, TypeVar

from consumer import memory
from consumer.board import Board, Place, Slot
from consumer.tray import Tray

P = ParamSpec("P")
T = TypeVar("T")

LENGTH = struct.Struct("=I")  # of the message that follows it
READY = LENGTH.pack(0)  # an empty one


class WorkFailed(Exception):
    """The work raised what it should not; carries the type's name, for the error itself may not survive pickling."""


class Answer(NamedTuple, Generic[T]):
    """What came of a call, and when it began and ended, in seconds of the monotonic clock, which all processes share."""

    value: T
    began: float
    ended: float


_slot: Slot | None = None


def serve(
    calls: socket, trays: Sequence[Tray], memory_bytes_max: int, board: Board, known: Sequence[Callable[..., object]]
) -> None:
    """Be a worker: answer each of the *calls* in turn, until nobody can make one any more. The *trays* take turns, too.

    A call names its function by the place among those *known*, or brings another one along.
    """
    prepare(memory_bytes_max, board)
    with calls, calls.makefile("rwb") as messages:
        messages.write(READY)
        messages.flush()
        for tray in cycle(trays):
            length = messages.read(LENGTH.size)
            if not length:
                return
            answer = _answer(messages.read(*LENGTH.unpack(length)), tray, known)
            messages.write(LENGTH.pack(len(answer)))
            messages.write(answer)
            messages.flush()


def _answer(call: bytes, tray: Tray, known: Sequence[Callable[..., object]]) -> bytes:
    try:
        work, place, args = tray.unpack(call)
        return tray.pack(tuple(run(Place(*place), known[work] if isinstance(work, int) else work, *args)))
    except (MemoryError, WorkFailed) as error:
        failure = type(error)(*error.args)  # without a traceback, which holds on to what the work has piled up
    return tray.pack(failure)


def prepare(memory_bytes_max: int, board: Board) -> None:
    """Make this process a worker: on the board, deaf to the signals of its group, mortal with its parent, bounded in memory."""
    global _slot  # noqa: PLW0603 - a process has one place on the board
    # Written by a handler in C: a worker that hangs in the midst of its work tells where. Whoever is on the board can be
    # asked: before, the signal would end it.
    faulthandler.register(signal.SIGUSR1, file=board.stacks, all_threads=False)
    _slot = board.take()
    # A Ctrl-C reaches the whole process group, but it is the parent that decides when work ends (T21).
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    memory.settle()
    work_in_the_background()
    threading.Thread(target=die_with_parent, daemon=True).start()
    if memory_bytes_max:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))


def work_in_the_background() -> None:
    """Have this process take the processor from nobody when it is woken, where the system knows of such (Linux).

    It gets no less of it, but its parent fetches and publishes without being interrupted: answers come sooner under load.
    A lone batch on an idle machine comes a little later.
    """
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def die_with_parent() -> None:
    """Wait for the parent's end and follow it, in a thread of this process's own.

    Nobody else would end this process while it hangs in its work.
    """
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


def run(place: Place, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Answer[T]:
    """Do *work*, and say on the board meanwhile at which *place* of the log that is.

    Raises:
        MemoryError: There was not enough memory. It is for the pool to find out for which batch.
        WorkFailed: The work raised anything else. A stray SystemExit, say, would otherwise end the parent.
    """
    began = time.monotonic()
    if _slot is not None:
        _slot.begin(place, began)
    try:
        return Answer(work(*args, **kwargs), began, time.monotonic())
    except MemoryError:
        raise MemoryError from None
    except BaseException as error:  # noqa: BLE001
        raise WorkFailed(type(error).__name__) from None
    finally:
        if _slot is not None:
            _slot.end()
