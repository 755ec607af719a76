"""The board: where each worker writes what it is at, for whoever asks what the instance is doing.

It is shared memory, written twice a call and read when somebody looks; nothing waits for it. A reader can catch a
worker between two calls, and then sees the one or the other.
"""

import ctypes
import fcntl
import os
import tempfile
import time
from multiprocessing.context import BaseContext
from multiprocessing.reduction import DupFd
from typing import IO, Any, NamedTuple


class Place(NamedTuple):
    """A run of records: of a partition, from the first offset to before the next one."""

    partition: int
    first_offset: int
    next_offset: int


NOWHERE = Place(-1, 0, 0)  # of work that did not come from a partition


class WorkerState(NamedTuple):
    """What a worker is at, and for how many seconds; None and 0 while it waits for work.

    `busy_s` is how long it has worked since it started, without what it is at.
    """

    pid: int
    place: Place | None
    seconds: float
    busy_s: float = 0.0


class _Slot(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_int64),
        ("partition", ctypes.c_int64),
        ("first_offset", ctypes.c_int64),
        ("next_offset", ctypes.c_int64),
        ("busy_s", ctypes.c_double),
        ("since", ctypes.c_double),  # by the monotonic clock, which all processes share; 0 while it waits
    )


class Board:
    """A slot for each worker of a set, and `stacks`, a file for the stack of whichever is asked for it.

    It can be handed to a process that is being started, and to no other.
    """

    def __init__(self, workers: int, context: BaseContext) -> None:
        self._slots = context.RawArray(_Slot, workers)
        self._taken = context.Value("i", 0)
        self.stacks: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is closed with the board
        # Each dump goes behind the one before, although all workers and the reader share one position in the file.
        fcntl.fcntl(self.stacks, fcntl.F_SETFL, os.O_APPEND)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"stacks": DupFd(self.stacks.fileno())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"stacks": os.fdopen(state["stacks"].detach(), "wb", buffering=0)}

    def take(self) -> "Slot":
        """A slot of its own for the worker that asks."""
        with self._taken.get_lock():
            number = self._taken.value
            self._taken.value += 1
        return Slot(self._slots[number])

    def read(self) -> list[WorkerState]:
        """What each worker is at, in the order in which they have started."""
        now = time.monotonic()
        return [_read(slot, now) for slot in self._slots if slot.pid]

    def close(self) -> None:
        """Give the file back. What the board says stays to be read."""
        self.stacks.close()


class Slot:
    """Where one worker writes."""

    def __init__(self, slot: _Slot) -> None:
        self._slot = slot
        slot.pid = os.getpid()

    def begin(self, place: Place, at: float) -> None:
        """Work on *place* has begun, *at* seconds of the monotonic clock."""
        self._slot.partition, self._slot.first_offset, self._slot.next_offset = place
        self._slot.since = at

    def end(self) -> None:
        """It has ended, one way or another."""
        self._slot.busy_s += time.monotonic() - self._slot.since
        self._slot.since = 0


def _read(slot: _Slot, now: float) -> WorkerState:
    since = slot.since
    place = Place(slot.partition, slot.first_offset, slot.next_offset) if since else None
    return WorkerState(slot.pid, place, max(0.0, now - since) if since else 0.0, slot.busy_s)
