"""librdkafka's mock cluster, in this process: for machines that offer no real broker."""

from typing import Never

from confluent_kafka import Producer

from tests.support.brokers.broker import BrokerError, Kind, OutOfReachError
from tests.support.brokers.topics import administrator, leaders

PARTITIONS = 4


class EmbeddedKafka:
    """Topics with four partitions each, in memory, for as long as this object lives; nothing survives it."""

    kind: Kind = "embedded"
    description = "librdkafka's mock cluster"

    def __init__(self) -> None:
        self._cluster = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = self._cluster.list_topics(timeout=5).brokers.values()
        self.bootstrap_servers = f"{broker.host}:{broker.port}"

    def start(self) -> None:
        """It has run since it was made."""

    def close(self) -> None:
        """It ends with the last reference to it."""
        del self._cluster

    def create_topic(self, name: str, *, partitions: int = PARTITIONS, **_: str) -> None:
        """Have it make the topic, as it makes each one that it is asked about; configurations it does not know."""
        if partitions != PARTITIONS:
            raise BrokerError(f"the embedded broker's topics have {PARTITIONS} partitions, not {partitions}")
        if leaders(administrator(self.bootstrap_servers), name) != PARTITIONS:
            raise BrokerError(f"topic {name} was not created")

    def stop(self) -> Never:
        """Not without losing all it has."""
        raise OutOfReachError("the embedded broker would not come back with its records")

    def kill(self) -> Never:
        """Not without losing all it has."""
        self.stop()

    def pause(self) -> Never:
        """It lives in this process."""
        self.stop()

    def resume(self) -> Never:
        """It lives in this process."""
        self.stop()
