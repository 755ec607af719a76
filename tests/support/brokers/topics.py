"""Topics on a real broker: created, and waited for until they can be used."""

from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.support.brokers.broker import BrokerError
from tests.support.brokers.waiting import wait_until

TIMEOUT_S = 30.0
KEPT = {"retention.ms": "-1"}  # handmade records are as old as a test wants them


def create_topic(
    bootstrap_servers: str, name: str, *, partitions: int, replicas: int, configs: Mapping[str, str]
) -> None:
    """Create a topic and wait until each broker that takes part knows a leader for each of its partitions.

    They learn it one after the other, and nobody can say which of them a client will ask.

    Raises:
        BrokerError: It exists already, or the broker refused it, or no leader was found in time.
    """
    admin = administrator(bootstrap_servers)
    wanted = NewTopic(
        name,
        num_partitions=partitions,
        replication_factor=replicas,
        config=KEPT | {key.replace("_", "."): value for key, value in configs.items()},
    )
    try:
        admin.create_topics([wanted], request_timeout=TIMEOUT_S)[name].result(timeout=TIMEOUT_S)
    except KafkaException as error:
        raise BrokerError(f"topic {name} was not created: {error}") from error
    brokers = admin.list_topics(timeout=TIMEOUT_S).brokers.values()
    everyone = [administrator(f"{broker.host}:{broker.port}") for broker in brokers] if len(brokers) > 1 else [admin]
    wait_until(
        lambda: all(leaders(one, name) == partitions for one in everyone),
        what=f"a leader for each partition of {name}",
        timeout_s=TIMEOUT_S,
    )


def leaders(admin: AdminClient, topic: str) -> int:
    """How many partitions of *topic* have a leader at this moment; 0 where the topic is not known yet."""
    try:
        known = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    except KafkaException:
        return 0
    return sum(partition.leader >= 0 and partition.error is None for partition in known.partitions.values())


def node_ids(bootstrap_servers: str, *, timeout_s: float) -> set[int]:
    """The brokers that take part, as the one at *bootstrap_servers* sees them; none while it does not answer."""
    try:
        return set(administrator(bootstrap_servers).list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return set()


def administrator(bootstrap_servers: str) -> AdminClient:
    """A client that keeps its log to itself: a broker that is down is what callers here wait for."""
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
