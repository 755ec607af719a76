"""A broker that was there before the tests and stays after them."""

from typing import Never

from tests.support.brokers.broker import Kind, OutOfReachError
from tests.support.brokers.topics import create_topic


class ExternalKafka:
    """Whatever `KAFKA_BOOTSTRAP_SERVERS` names; it can be used, and not be disturbed."""

    kind: Kind = "external"
    description = "an external broker"

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def start(self) -> None:
        """It runs already."""

    def close(self) -> None:
        """It goes on."""

    def create_topic(self, name: str, *, partitions: int = 4, **configs: str) -> None:
        """Create a topic, replicated as that cluster is set to by default."""
        create_topic(self.bootstrap_servers, name, partitions=partitions, replicas=-1, configs=configs)

    def stop(self) -> Never:
        """Not from here."""
        raise OutOfReachError("an external broker is not the tests' to stop")

    def kill(self) -> Never:
        """Not from here."""
        self.stop()

    def pause(self) -> Never:
        """Not from here."""
        self.stop()

    def resume(self) -> Never:
        """Not from here."""
        self.stop()
