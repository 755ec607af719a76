"""Apache Kafka in a container, from the official image or one that stands in for it."""

import contextlib
import gc
import os
import sys
import warnings
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from tests.support.brokers.broker import BrokerError, Kind
from tests.support.brokers.jars import kafka_version
from tests.support.brokers.last_will import LastWill
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.properties import COMMON, quorum
from tests.support.brokers.topics import create_topic, node_ids
from tests.support.brokers.waiting import wait_until

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20
ENGINE_TIMEOUT_S = 5
CONTROLLER_PORT = 9093
LOG_TAIL_LINES = 30
REMOVE = "import docker, sys; docker.from_env().containers.get(sys.argv[1]).remove(force=True, v=True)"

# Its sweeper is an image of its own, which not every machine can pull; the last will below does the same without one.
testcontainers_config.ryuk_disabled = True


def kafka_image() -> str:
    """The official image, unless `KAFKA_IMAGE` names one that stands in for it."""
    return os.environ.get("KAFKA_IMAGE") or f"apache/kafka:{kafka_version()}"


def provide_image() -> None:
    """See to it that the engine has the image, and pull it otherwise.

    Raises:
        BrokerError: No engine answers, or it has no image and cannot pull it.
    """
    if not _an_engine_answers():
        raise BrokerError("no container engine answers")
    with contextlib.closing(docker.from_env()) as engine:
        try:
            engine.images.get(kafka_image())
        except ImageNotFound:
            _pull(engine)


def _an_engine_answers() -> bool:
    # Where nobody answers, the client forgets to close its socket, which must not be held against the tests.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            with contextlib.closing(docker.from_env(timeout=ENGINE_TIMEOUT_S)) as engine:
                return bool(engine.ping())
        except DockerException:
            return False
        finally:
            gc.collect()


def _pull(engine: docker.DockerClient) -> None:
    try:
        engine.images.pull(kafka_image())
    except DockerException as error:
        raise BrokerError(f"the container engine has no {kafka_image()} and cannot pull it") from error


class ContainerKafka:
    """One node of Apache Kafka in a container, which keeps its port and its data until `close`."""

    kind: Kind = "container"

    def __init__(self) -> None:
        # The same port inside as outside, so that the address it tells its clients is true for itself as well.
        port = free_port()
        self._container = DockerContainer(kafka_image()).with_bind_ports(port, port)
        host = self._container.get_docker_client().host().replace("localhost", HOST)
        self.bootstrap_servers = f"{host}:{port}"
        self._container.with_envs(**_environment(port=port, address=self.bootstrap_servers))
        self._last_will: LastWill | None = None

    @property
    def description(self) -> str:
        """The image it comes from."""
        return f"{kafka_image()} in a container"

    def start(self) -> None:
        """Create the container the first time, start the same one again later."""
        if self._last_will is None:
            self._container.start()
            self._last_will = LastWill([sys.executable, "-c", REMOVE, self._container.get_container_id()])
        else:
            self._engine_s.start()
        try:
            wait_until(
                lambda: bool(node_ids(self.bootstrap_servers, timeout_s=1.0)),
                what=f"{self.description} serves at {self.bootstrap_servers}",
                timeout_s=START_TIMEOUT_S,
            )
        except BrokerError as error:
            raise BrokerError(
                f"{error}\n{self._engine_s.logs(tail=LOG_TAIL_LINES).decode(errors='replace')}"
            ) from error

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that takes too long."""
        self._engine_s.stop(timeout=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL."""
        self._engine_s.kill()
        self._engine_s.wait(timeout=STOP_TIMEOUT_S)

    def pause(self) -> None:
        """Freeze all of the container."""
        self._engine_s.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._engine_s.unpause()

    def create_topic(self, name: str, *, partitions: int = 4, **configs: str) -> None:
        """Create a topic and wait for its leaders."""
        create_topic(self.bootstrap_servers, name, partitions=partitions, replicas=1, configs=configs)

    def close(self) -> None:
        """Remove the container and its data."""
        if self._last_will is None:
            return
        with contextlib.suppress(NotFound):  # not there any more: as wanted
            self._container.stop()
        self._last_will.revoke()

    @property
    def _engine_s(self) -> Any:
        """The engine's own view of the container."""
        return self._container.get_wrapped_container()


def _environment(*, port: int, address: str) -> dict[str, str]:
    properties = {
        **COMMON,
        **quorum([f"localhost:{CONTROLLER_PORT}"]),
        "node.id": "1",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:{CONTROLLER_PORT}",
        "advertised.listeners": f"PLAINTEXT://{address}",
    }
    return {f"KAFKA_{key.replace('.', '_').upper()}": value for key, value in properties.items()} | {
        "KAFKA_HEAP_OPTS": "-Xmx512m"
    }
