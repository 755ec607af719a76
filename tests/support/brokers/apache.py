"""Apache Kafka as processes of this machine: one node, or a small cluster."""

import base64
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.brokers.broker import Kind
from tests.support.brokers.jars import kafka_jars, kafka_version
from tests.support.brokers.last_will import LastWill
from tests.support.brokers.node import Node
from tests.support.brokers.properties import COMMON, majority, quorum
from tests.support.brokers.topics import create_topic


class ApacheKafka:
    """Apache Kafka from Maven's repository, run by Java: `with ApacheKafka() as kafka: ...`.

    With several *nodes*, each is broker and controller, and can be stopped, killed, paused and started by itself
    (`kafka.nodes[0].kill()`); topics are then replicated to all of them, and a majority must acknowledge a record.
    Data and logs are in *directory*; without one, they are in a temporary folder that `close` removes.
    """

    kind: Kind = "process"

    def __init__(
        self,
        *,
        nodes: int = 1,
        heap_megabytes: int = 512,
        properties: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        jars = kafka_jars()
        self.directory = directory or Path(tempfile.mkdtemp(prefix="batchsum-kafka-"))
        self._is_temporary = directory is None
        self._last_will = LastWill(["rm", "-rf", str(self.directory)] if self._is_temporary else ["true"])
        self.nodes = [
            Node(number=number, directory=self.directory / f"node-{number}", jars=jars, heap_megabytes=heap_megabytes)
            for number in range(1, nodes + 1)
        ]
        controllers = [node.controller_address for node in self.nodes]
        self._properties = {**COMMON, **quorum(controllers), **(properties or {})}
        self._is_formatted = False

    @property
    def description(self) -> str:
        """Product, version and how many processes."""
        return f"Apache Kafka {kafka_version()}, {len(self.nodes)} process{'es' * (len(self.nodes) > 1)}"

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all nodes, running or not."""
        return ",".join(node.address for node in self.nodes)

    def start(self) -> None:
        """Start the nodes that do not run, and wait until each sees all the others."""
        if not self._is_formatted:
            self._format()
        for node in self.nodes:
            if not node.is_running:
                node.launch()
        for node in self.nodes:
            node.wait_until_serving(beside={other.number for other in self.nodes})

    def stop(self) -> None:
        """Ask all nodes to end, and wait until they have."""
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.wait()

    def kill(self) -> None:
        """End all nodes at once."""
        for node in self.nodes:
            node.kill()

    def pause(self) -> None:
        """Freeze all nodes."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Let all nodes go on."""
        for node in self.nodes:
            node.resume()

    def create_topic(self, name: str, *, partitions: int = 4, **configs: str) -> None:
        """Create a topic with a replica on each node."""
        replicas = len(self.nodes)
        configs.setdefault("min_insync_replicas", str(majority(replicas)))
        create_topic(self.bootstrap_servers, name, partitions=partitions, replicas=replicas, configs=configs)

    def close(self) -> None:
        """End all nodes and remove their temporary folder."""
        self.kill()
        if self._is_temporary:
            shutil.rmtree(self.directory, ignore_errors=True)
        self._last_will.revoke()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _format(self) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode()
        with ThreadPoolExecutor(len(self.nodes)) as threads:
            for done in [threads.submit(node.format, self._properties, cluster_id=cluster_id) for node in self.nodes]:
                done.result()
        self._is_formatted = True
