"""One node of Apache Kafka, broker and controller in one process of this machine."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.brokers.broker import BrokerError
from tests.support.brokers.last_will import LastWill
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import node_ids
from tests.support.brokers.waiting import wait_until

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
FORMAT_TIMEOUT_S = 60.0
LOG_TAIL_CHARACTERS = 3000


def java() -> str | None:
    """The Java that would be used, if there is one."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")


class Node:
    """A process that runs `kafka.Kafka`; its data and its ports are the same in each of its lives."""

    def __init__(self, *, number: int, directory: Path, jars: Path, heap_megabytes: int) -> None:
        self.number = number
        self.address = f"{HOST}:{free_port()}"
        self.controller_address = f"{HOST}:{free_port()}"
        self.directory = directory
        self.log_file = directory / "server.log"
        self._properties_file = directory / "server.properties"
        self._java = [java() or "java", f"-Xmx{heap_megabytes}m", "-cp", f"{jars}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        self._last_will: LastWill | None = None

    def add_java_options(self, *options: str) -> None:
        """Give these to its Java, too, from the next start on."""
        self._java[1:1] = options

    def format(self, properties: Mapping[str, str], *, cluster_id: str) -> None:
        """Write its properties and prepare its storage, once in its life."""
        self.directory.mkdir(parents=True, exist_ok=True)
        own = {
            "node.id": str(self.number),
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{self.controller_address}",
            "log.dirs": str(self.directory / "data"),
        }
        lines = [f"{key}={value}" for key, value in {**properties, **own}.items()]
        self._properties_file.write_text("\n".join(lines) + "\n")
        run = subprocess.run(
            [
                *self._java,
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={cluster_id}",
                "-c",
                str(self._properties_file),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if run.returncode != 0:
            raise BrokerError(f"storage of {self} was not formatted: {run.stdout}{run.stderr}"[-LOG_TAIL_CHARACTERS:])

    def launch(self) -> None:
        """Start the process, without waiting for it to be of use."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the tests is theirs to answer
            )
        self._last_will = LastWill(["kill", "-KILL", str(self._process.pid)])

    def wait_until_serving(self, *, beside: set[int]) -> None:
        """Return when the node answers, and counts itself and *beside* among the cluster.

        Raises:
            BrokerError: It ended, or did not get there in time.
        """
        try:
            wait_until(
                lambda: not self.is_running or {self.number, *beside} <= node_ids(self.address, timeout_s=1.0),
                what=f"{self} serves",
                timeout_s=START_TIMEOUT_S,
            )
        except BrokerError as error:
            raise BrokerError(f"{error}\n{self._log_tail()}") from error
        if not self.is_running:
            raise BrokerError(f"{self} ended while it started\n{self._log_tail()}")

    @property
    def is_running(self) -> bool:
        """Whether its process lives (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The process's id, while it has one."""
        return self._process.pid if self._process is not None else None

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)

    def wait(self) -> None:
        """Wait until it has ended; kill it when it takes too long, as it does without a majority of controllers."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def start(self) -> None:
        """Start it again, and wait until it serves."""
        self.launch()
        self.wait_until_serving(beside=set())

    def stop(self) -> None:
        """Let it hand over what it leads, and end."""
        self.terminate()
        self.wait()

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        """Freeze it."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its process, where it has one."""
        if self._process is not None:
            self._process.send_signal(number)

    def _forget(self) -> None:
        self._process = None
        if self._last_will is not None:
            self._last_will.revoke()
            self._last_will = None

    def _log_tail(self) -> str:
        return self.log_file.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]

    def __str__(self) -> str:
        return f"node {self.number} at {self.address}"
