"""A system's processes: started, looked at and ended as one, whatever they start themselves."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import psutil

from tests.support.brokers.last_will import LastWill

SAMPLE_EVERY_S = 0.5
STOP_TIMEOUT_S = 20.0
LOG_TAIL_CHARACTERS = 2_000
OURS_IN_THE_ENVIRONMENT = "BATCHSUM_"  # settings of whoever runs the benchmark, which are not to be measured


class Ended(RuntimeError):
    """A system's process has ended though nobody asked it to; the message has the end of its log."""


class Sample(NamedTuple):
    """What a system's processes had used up at a moment: memory is theirs alone plus their share of what is shared.

    *parent_cpu_s* is the part of the processes that were started, without what they have started themselves.
    """

    at: float
    cpu_s: float
    parent_cpu_s: float
    memory_bytes: int


class Processes:
    """The processes of one run: a context manager from their start to the end of the last one."""

    def __init__(
        self, command: Sequence[str], *, instances: int, environment: Mapping[str, str], directory: Path
    ) -> None:
        self._command = command
        self._instances = instances
        own = {name: value for name, value in os.environ.items() if not name.startswith(OURS_IN_THE_ENVIRONMENT)}
        self._environment = {**own, **environment}
        self._log_file = directory / "system.log"
        self._started: list[tuple[subprocess.Popen[bytes], LastWill]] = []

    def __enter__(self) -> Self:
        try:
            for _ in range(self._instances):
                self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def check(self) -> None:
        """Look whether all instances live.

        Raises:
            Ended: One does not.
        """
        for process, _ in self._started:
            if process.poll() is not None:
                raise Ended(f"ended with {process.returncode}: {self.log_tail()}")

    def log_tail(self) -> str:
        """The end of what they have written, without the frames of a traceback, which tell where this machine keeps its files."""
        lines = self._log_file.read_text(errors="replace").splitlines()
        told = (line for line in lines if line.strip() and not line.startswith("  "))
        return "\n".join(told)[-LOG_TAIL_CHARACTERS:]

    def sample(self) -> Sample:
        """What all processes have used up to now, those that have ended included."""
        cpu_s, parent_cpu_s, memory_bytes = 0.0, 0.0, 0
        parents = {process.pid for process, _ in self._started}
        for process in self._all():
            try:
                times = process.cpu_times()
                memory_bytes += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue  # its time is its parent's now, as that of an ended child
            cpu_s += times.user + times.system + times.children_user + times.children_system
            parent_cpu_s += (times.user + times.system) * (process.pid in parents)
        return Sample(time.time(), cpu_s, parent_cpu_s, memory_bytes)

    @contextlib.contextmanager
    def sampled(self) -> Iterator[Sequence[Sample]]:
        """A sample twice a second, until the context is left.

        Each takes some milliseconds of the cores that are measured: so there are none where latency counts.
        """
        samples: list[Sample] = []
        done = threading.Event()

        def keep_sampling() -> None:
            while not done.wait(SAMPLE_EVERY_S):
                samples.append(self.sample())

        sampler = threading.Thread(target=keep_sampling, daemon=True)
        sampler.start()
        try:
            yield samples
        finally:
            done.set()
            sampler.join()

    def _start(self) -> None:
        with self._log_file.open("ab") as log:
            process = subprocess.Popen(
                self._command,
                cwd=self._log_file.parent,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # and with it a group, by which all that it starts can be ended
            )
        self._started.append((process, LastWill(["kill", "-KILL", "--", f"-{process.pid}"])))

    def _stop(self) -> None:
        for process, _ in self._started:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process, will in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            _kill_group(process.pid)
            process.wait()
            will.revoke()

    def _all(self) -> list[psutil.Process]:
        found = []
        for started, _ in self._started:
            try:
                root = psutil.Process(started.pid)
                found += [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
