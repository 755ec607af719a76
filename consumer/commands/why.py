"""`batchsum why`: asks a running instance what it is doing, by its HTTP port or by a signal."""

import os
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar

from config.logging import printable
from consumer.commands import output
from consumer.failures import CannotConnect, Failure

TIMEOUT_S = 15.0


class WrongProcess(Failure):
    """The process is not there, is not ours, or is no instance."""

    exit_code: ClassVar[int] = 2


def ask(url: str, *, as_json: bool) -> None:
    """Print what the instance at *url* answers.

    Raises:
        CannotConnect: Nobody answers there, or somebody who does not know the question.
    """
    accept = "application/json" if as_json else "text/plain"
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/why", headers={"Accept": accept})  # noqa: S310 - see below
        with _opener().open(request, timeout=TIMEOUT_S) as answer:
            text = answer.read().decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise CannotConnect(
            f"no instance answers at {url}: {reason}; name another one with --url, or one on this machine with --pid"
        ) from error
    for line in text.splitlines():
        output.line(printable(line))


def _opener() -> urllib.request.OpenerDirector:
    """It speaks HTTP and nothing else, and goes by no proxy: whatever the environment names does not lead to this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def signal_to(pid: int) -> None:
    """Have the instance *pid* print the same to its standard error.

    Raises:
        WrongProcess: There is none, or it would not survive being asked.
    """
    try:
        if not _catches(pid, signal.SIGUSR1):
            raise WrongProcess(
                f"process {pid} is no instance of batchsum, or has not started yet: it would die of SIGUSR1"
            )
        os.kill(pid, signal.SIGUSR1)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise WrongProcess(f"there is no process {pid}") from error
    except PermissionError as error:
        raise WrongProcess(f"process {pid} belongs to another user") from error
    output.note(f"process {pid} has been asked; it tells on its standard error")


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for the signal; where the system does not tell, it is taken at its word."""
    if not Path("/proc/self/status").exists():
        return True
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    caught = next(line.partition(":")[2] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)
