"""What runs inside a worker process, around the work itself.

Workers import this module, `domain`, and nothing else of the service.
"""

import os
import resource
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection, parent_process
from typing import ParamSpec, TypeVar

from consumer import collector

P = ParamSpec("P")
T = TypeVar("T")


class WorkFailed(Exception):
    """The work raised what it should not; carries the type's name, for the error itself may not survive pickling."""


def prepare(memory_bytes_max: int) -> None:
    """Make this process a worker: deaf to the signals of its group, mortal with its parent, bounded in memory."""
    # A Ctrl-C reaches the whole process group, but it is the parent that decides when work ends (T21).
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    collector.settle()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if memory_bytes_max:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))


def _die_with_parent() -> None:
    """Nobody else would end this process: its queue stays open as long as any worker holds it, parent or not."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


def ready() -> int:
    """The worker's process id: proof that one has started and can be reached."""
    return os.getpid()


def run(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do *work*.

    Raises:
        MemoryError: There was not enough memory. It is for the pool to find out for which batch.
        WorkFailed: The work raised anything else. A stray SystemExit, say, would otherwise end the parent.
    """
    try:
        return work(*args, **kwargs)
    except MemoryError:
        raise MemoryError from None
    except BaseException as error:  # noqa: BLE001
        raise WorkFailed(type(error).__name__) from None
