"""Everybody who takes part: the service, its peers, and the service with the work left out."""

import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from benchmarks import java
from benchmarks.broker import PARTITIONS, Stage
from benchmarks.onlookers import Onlookers
from benchmarks.processes import Processes
from config.cpus import usable_cpus
from tests.support.brokers.jars import kafka_version
from tests.support.brokers.ports import free_port

ROOT = Path(__file__).parent.parent
PEERS_BIN = ROOT / ".venv-benchmarks" / "bin"
WORKERS = usable_cpus()

Pace = Literal["quick", "middling", "slow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One that takes requests from a topic and puts answers on another.

    *package*: the distribution whose version stands for it; none for those of this project and of Kafka's.
    *pace*: how quick it is, by orders of magnitude: what its first backlog is sized by. *partitions*: of the request
    topic. *echoes*: it answers with the request itself, because the work is left out. *watched*: its HTTP port is on,
    scraped each second, and its live page is open. *settings* are those that it does not leave at their defaults.
    """

    name: str
    title: str
    package: str | None = None
    module: str = ""
    instances: int = 1
    pace: Pace = "quick"
    partitions: int = PARTITIONS
    echoes: bool = False
    watched: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.module in {"consumer", "benchmarks.echo"}

    def command(self) -> Sequence[str]:
        """How one instance is started."""
        if self.is_ours:
            return [sys.executable, "-m", self.module, "run"]
        if self.package == "faststream":
            return [str(PEERS_BIN / "faststream"), "run", f"{self.module}:app"]
        if self.package == "faust-streaming":
            return [str(PEERS_BIN / "python"), "-m", self.module, "worker", "--loglevel=warn"]
        if self.package is not None:
            return [str(PEERS_BIN / "python"), "-m", self.module]
        return java.streams_command()

    @property
    def version(self) -> str:
        if self.is_ours:
            return _versions(sys.executable)["batchsum"]
        return _versions(str(PEERS_BIN / "python"))[self.package] if self.package else kafka_version()

    @contextmanager
    def running(self, stage: Stage, *, requests: str, results: str) -> Iterator[Processes]:
        """Let it work on these topics, in a group and a folder of its own, until the context is left."""
        with ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="batchsum-benchmark-")))
            environment = _environment(stage, requests=requests, results=results, directory=directory)
            environment.update(self.settings)
            if self.watched:
                port = free_port()
                environment |= {"BATCHSUM_HTTP_ENABLED": "true", "BATCHSUM_HTTP_PORT": str(port)}
                stack.enter_context(Onlookers(port))
            yield stack.enter_context(
                Processes(self.command(), instances=self.instances, environment=environment, directory=directory)
            )


OURS = System(name="batchsum", title="batchsum", module="consumer")
EXACTLY_ONCE = System(
    name="exactly-once",
    title="batchsum, exactly once",
    module="consumer",
    settings={"BATCHSUM_DELIVERY": "exactly_once"},
)
HTTP = System(name="http", title="batchsum, HTTP port on and watched", module="consumer", watched=True)
ONE_PARTITION = System(name="one-partition", title="batchsum, one partition", module="consumer", partitions=1)
ECHO = System(name="echo", title="batchsum, work left out", module="benchmarks.echo", echoes=True)
INLINE = System(
    name="inline",
    title="aiokafka, inline, batched sends",
    package="aiokafka",
    module="benchmarks.peers.with_batches_inline",
)
PEERS = (
    System(name="kafka-streams", title="Kafka Streams"),
    INLINE,
    System(
        name="inline-instances",
        title=f"aiokafka, inline, batched sends, {WORKERS} instances",
        package="aiokafka",
        module="benchmarks.peers.with_batches_inline",
        instances=WORKERS,
    ),
    System(
        name="arroyo", title="Arroyo", package="sentry-arroyo", module="benchmarks.peers.with_arroyo", pace="middling"
    ),
    System(
        name="faststream",
        title="FastStream, batches",
        package="faststream",
        module="benchmarks.peers.with_faststream",
        pace="middling",
    ),
    System(name="quix", title="Quix Streams", package="quixstreams", module="benchmarks.peers.with_quix", pace="slow"),
    System(name="faust", title="Faust", package="faust-streaming", module="benchmarks.peers.with_faust", pace="slow"),
    System(
        name="faststream-each",
        title="FastStream, record by record",
        package="faststream",
        module="benchmarks.peers.with_faststream_each",
        pace="slow",
    ),
    System(
        name="pool-calls",
        title="aiokafka, a pool call per record",
        package="aiokafka",
        module="benchmarks.peers.with_pool_calls",
        pace="slow",
    ),
)
SYSTEMS: Mapping[str, System] = {
    system.name: system for system in (OURS, EXACTLY_ONCE, HTTP, ONE_PARTITION, ECHO, *PEERS)
}


def _environment(stage: Stage, *, requests: str, results: str, directory: Path) -> dict[str, str]:
    place = {
        "BOOTSTRAP_SERVERS": stage.bootstrap_servers,
        "REQUEST_TOPIC": requests,
        "RESULT_TOPIC": results,
        "GROUP_ID": f"benchmark-{uuid.uuid4().hex[:8]}",
        "WORKERS": str(WORKERS),
    }
    return {
        **{f"BENCHMARK_{name}": value for name, value in place.items()},
        **{f"BATCHSUM_{name}": value for name, value in place.items()},
        "BENCHMARK_DIRECTORY": str(directory),
        "PYTHONPATH": str(ROOT),
    }


@cache
def _versions(python: str) -> Mapping[str, str]:
    """The versions of all that is installed beside *python*."""
    code = "from importlib.metadata import distributions as d; [print(i.name, i.version) for i in d()]"
    listed = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    return dict(line.split(" ", 1) for line in listed.splitlines())
