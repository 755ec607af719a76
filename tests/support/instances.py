"""Instances of the service as processes of their own: started, watched, sent signals, and never left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from config.settings import Settings
from tests.support.brokers.last_will import LastWill
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30.0
EXIT_TIMEOUT_S = 30.0
WORKERS_GONE_S = 5.0
FRESH_S = 3.0  # the heartbeat file is touched every second
LOG_TAIL_LINES = 40

GENUINE = ("-m", "consumer", "run")
FAULTY = ("-m", "tests.support.faulty_instance")

Event = dict[str, object]


class Instance:
    """One process, and the workers below it. What it logs is in `log_file`, JSON lines."""

    def __init__(self, name: str, settings: Settings, directory: Path, *, program: tuple[str, ...]) -> None:
        self.name = name
        self.log_file = directory / f"{name}.jsonl"
        self.heartbeat_file = directory / f"{name}.heartbeat"
        self.memory_bytes_max = 0
        self._own = {"log_format": "json", "heartbeat_file": self.heartbeat_file, "client_id": name}
        self._seen: dict[int, psutil.Process] = {}
        self._events: list[Event] = []
        self._read_bytes = 0
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *program],
                env=_environment(settings.model_dump(exclude_unset=True) | self._own),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is the tests' to answer
            )
        self._last_will = LastWill(["kill", "-KILL", str(self._process.pid)])

    @property
    def pid(self) -> int:
        """The process id, also after its end."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the instance, not to its workers."""
        self.look()
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask it to drain and end."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash of the machine would."""
        self.signal(signal.SIGKILL)

    async def ended(self, *, timeout_s: float = EXIT_TIMEOUT_S) -> int:
        """Its exit code, once it has one.

        Raises:
            TimeoutError: It still runs after *timeout_s*.
        """
        await self._wait_until(lambda: self.exit_code is not None, timeout_s=timeout_s, what="has not ended")
        return self._process.returncode

    async def stopped(self, *, timeout_s: float = EXIT_TIMEOUT_S) -> int:
        """Its exit code, after having been asked to end."""
        self.terminate()
        return await self.ended(timeout_s=timeout_s)

    async def logged(self, event: str, *, times: int = 1, timeout_s: float = START_TIMEOUT_S) -> Event:
        """The last line of its log with this event, as soon as there are so many of them."""

        def come() -> bool:
            if self.exit_code is not None and len(self.events(event)) < times:
                raise AssertionError(f"{self.name} ended ({self.exit_code}) without {event!r}\n{self.log_tail()}")
            return len(self.events(event)) >= times

        await self._wait_until(come, timeout_s=timeout_s, what=f"has not logged {event!r}")
        return self.events(event)[-1]

    async def ready(self) -> "Instance":
        """Itself, once it has partitions, or knows that there are none for it."""
        await self.logged("partitions assigned")
        return self

    def events(self, event: str | None = None) -> list[Event]:
        """What it has logged, or what of that is named *event*; lines that are no log (a stack dump) are left out."""
        with self.log_file.open("rb") as log:
            log.seek(self._read_bytes)
            lines = log.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            del lines[-1]  # it is being written
        self._read_bytes += sum(map(len, lines))
        self._events += [json.loads(line) for line in lines if line.startswith(b"{")]
        return [entry for entry in self._events if event in {None, entry.get("event")}]

    def log_tail(self) -> str:
        """The end of its log, for a message."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    @property
    def url(self) -> str:
        """Where its HTTP port is; it has one where the settings say so."""
        return str(self.events("HTTP port bound")[-1]["url"])

    @property
    def is_healthy(self) -> bool:
        """Whether its heartbeat is fresh: what a probe of its supervisor would see."""
        with suppress(FileNotFoundError):
            return time.time() - self.heartbeat_file.stat().st_mtime < FRESH_S
        return False

    def workers(self) -> list[psutil.Process]:
        """The processes that work for it now: the children of its fork server."""
        return [process for process in self.look() if process.ppid() != self.pid]

    def look(self) -> list[psutil.Process]:
        """All processes below it; they are remembered, and so is the most memory that all of it took."""
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.pid)
            below = own.children(recursive=True)
            self._seen |= {process.pid: process for process in below}
            self.memory_bytes_max = max(self.memory_bytes_max, _resident_bytes(own))
            return below
        return []

    async def _wait_until(self, condition: Callable[[], object], *, timeout_s: float, what: str) -> None:
        try:
            await wait_until(condition, timeout_s=timeout_s)
        except TimeoutError:
            raise TimeoutError(f"{self.name} {what} within {timeout_s:g} s\n{self.log_tail()}") from None

    def outlived_by(self) -> list[psutil.Process]:
        """Those of its processes that still run."""
        return [process for process in self._seen.values() if _runs(process)]

    async def clear_away(self) -> None:
        """End it, if it runs, and see to it that no process of it stays.

        Raises:
            AssertionError: One of its workers has outlived it.
        """
        if self.exit_code is None:
            self.signal(signal.SIGCONT)
            self.kill()
            await asyncio.to_thread(self._process.wait)
        self._last_will.revoke()
        with suppress(TimeoutError):
            await wait_until(lambda: not self.outlived_by(), timeout_s=WORKERS_GONE_S)
        left = self.outlived_by()
        for process in left:
            process.kill()
        assert not left, f"{self.name} was outlived by {left}"


@asynccontextmanager
async def instances(directory: Path) -> AsyncIterator["Instances"]:
    """A place to start instances in; at its end, all of them are ended, and none has left anything behind."""
    started = Instances(directory)
    try:
        yield started
    finally:
        errors = await asyncio.gather(*(instance.clear_away() for instance in started), return_exceptions=True)
        for error in filter(None, errors):
            raise error


class Instances(list[Instance]):
    """All instances that were started, also those that have ended."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    def start(self, settings: Settings, *, faulty: bool = False) -> Instance:
        """Start one; a *faulty* one is that of `tests.support.faulty_instance`."""
        name, program = f"instance-{len(self) + 1}", FAULTY if faulty else GENUINE
        instance = Instance(name, settings, self._directory, program=program)
        self.append(instance)
        return instance

    @property
    def running(self) -> list[Instance]:
        """Those that have not ended."""
        return [instance for instance in self if instance.exit_code is None]


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment, with *settings* in place of those that it may hold itself."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BATCHSUM_")}
    own = {f"BATCHSUM_{name.upper()}": _text(value) for name, value in settings.items()}
    return inherited | own | {"PYTHONUNBUFFERED": "1"}


def _text(value: object) -> str:
    secret = getattr(value, "get_secret_value", None)
    return str(secret() if secret else value)


def _resident_bytes(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
