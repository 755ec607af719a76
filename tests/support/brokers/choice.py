"""Which broker the tests use on this machine, and why."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.brokers.apache import ApacheKafka
from tests.support.brokers.broker import Broker, BrokerError, Kind
from tests.support.brokers.container import ContainerKafka, kafka_image, provide_image
from tests.support.brokers.embedded import EmbeddedKafka
from tests.support.brokers.external import ExternalKafka
from tests.support.brokers.jars import kafka_jars, kafka_version
from tests.support.brokers.node import java


@dataclass(frozen=True, slots=True)
class Choice:
    """The best broker that could be had."""

    kind: Kind
    make: Callable[[], Broker]
    reason: str

    @property
    def can_be_disturbed(self) -> bool:
        """Whether a test can have one of its own, to stop and to kill."""
        return self.kind in {"container", "process"}


def find_broker() -> Choice:
    """The first that can be had: what `KAFKA_BOOTSTRAP_SERVERS` names, a container, a process, the embedded one."""
    if bootstrap_servers := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return Choice("external", lambda: ExternalKafka(bootstrap_servers), "named by KAFKA_BOOTSTRAP_SERVERS")
    try:
        provide_image()
    except BrokerError as no_container:
        try:
            _provide_java()
        except BrokerError as no_process:
            return Choice("embedded", EmbeddedKafka, f"{no_container}; {no_process}")
        return Choice("process", ApacheKafka, f"Apache Kafka {kafka_version()} on Java, for {no_container}")
    return Choice("container", ContainerKafka, f"a container engine answers and has {kafka_image()}")


def _provide_java() -> None:
    if java() is None:
        raise BrokerError("there is no Java to run Apache Kafka with")
    kafka_jars()
