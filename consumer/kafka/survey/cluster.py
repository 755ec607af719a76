"""A look at a cluster as an instance would find it: nothing is joined, written, created or changed."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import IncompatibleBrokerVersion, TopicAuthorizationFailedError
from aiokafka.protocol.admin import DescribeConfigsRequest

from config.settings import Settings
from consumer.kafka.survey.addresses import UNUSABLE, Address, addresses, connected, trouble
from consumer.kafka.survey.permissions import group_is_forbidden, transactions_forbidden
from consumer.kafka.survey.protocol import MetadataRequest, operations

GROUPS_TOPIC = "__consumer_offsets"
TOPIC_RESOURCE, BROKER_RESOURCE = 2, 4
END_TRANSACTION, END_TRANSACTION_OF_KAFKA_4 = 26, 5  # a request, and the version of it that came with Kafka 4

Configuration = Mapping[str, str]


class Partition(NamedTuple):
    """How many copies of a partition there are, how many of them are in sync, and whether it has a leader."""

    replicas: int
    in_sync: int
    has_leader: bool


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the asking principal may see it.

    Of one that is not there, or that it may not see, there is nothing but that. `configuration` is None where it may
    not be read, `operations` where the broker does not tell them.
    """

    name: str
    partitions: list[Partition] = field(default_factory=list)
    configuration: Configuration | None = None
    operations: frozenset[str] | None = None
    is_forbidden: bool = False

    def number(self, name: str) -> int | None:
        """A setting that is a number; None where it cannot be known."""
        value = (self.configuration or {}).get(name)
        return None if value is None else int(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What a survey has found. Without a single broker that can be used, there are addresses alone.

    Where no group has ever committed anything, not even the topic for it is there, and to ask would create it.
    """

    bootstrap: list[Address]
    brokers: list[Address] = field(default_factory=list)
    topics: Mapping[str, Topic] = field(default_factory=dict)
    broker_configuration: Configuration | None = None
    group_is_forbidden: bool = False
    transactions_forbidden: list[int] = field(default_factory=list)
    has_groups: bool = True
    is_kafka_4: bool = True


async def survey(settings: Settings) -> Cluster:
    """Look at the cluster that *settings* name. What cannot be used or seen is part of the answer, never an error."""
    names = [settings.request_topic, settings.result_topic, settings.dead_letter_topic, GROUPS_TOPIC]
    bootstrap = await _met(settings, addresses(settings), names)
    metadata = next((metadata for _, metadata in bootstrap if metadata), None)
    if metadata is None:
        return Cluster(bootstrap=[address for address, _ in bootstrap])
    advertised = {Address(host, port): node for node, host, port, _ in metadata.brokers}
    brokers = [address for address, _ in await _met(settings, advertised, [])]
    topics = dict(_topics(metadata.topics))
    has_groups = topics.pop(GROUPS_TOPIC, None) is not None
    cluster = Cluster(
        bootstrap=[address for address, _ in bootstrap], brokers=brokers, topics=topics, has_groups=has_groups
    )
    for address in brokers:
        if address.trouble is None:
            async with connected(settings, address) as connection:
                return await _inquire(connection, settings, cluster, broker=advertised[address])
    return cluster


async def _met(settings: Settings, met: Iterable[Address], topics: list[str]) -> list[tuple[Address, Any]]:
    """Each address with what the broker there says of *topics*; nothing, and why, where none can be used."""

    async def meet(address: Address) -> tuple[Address, Any]:
        try:
            async with connected(settings, address) as connection:
                return address, await connection.send(MetadataRequest(topics))
        except UNUSABLE as error:
            return replace(address, trouble=trouble(error, settings)), None

    return await asyncio.gather(*map(meet, met))


async def _inquire(connection: AIOKafkaConnection, settings: Settings, cluster: Cluster, *, broker: int) -> Cluster:
    """Ask *broker* what metadata do not tell."""
    configurations = await _configurations(connection, cluster.topics, broker=broker)
    topics = {
        name: replace(topic, configuration=configurations.get((TOPIC_RESOURCE, name)))
        for name, topic in cluster.topics.items()
    }
    requests = topics.get(settings.request_topic)
    forbidden = []
    if requests is not None and settings.delivery == "exactly_once":
        partitions = range(len(requests.partitions))
        forbidden = await transactions_forbidden(connection, settings.group_id, requests.name, partitions)
    return replace(
        cluster,
        topics=topics,
        broker_configuration=configurations.get((BROKER_RESOURCE, str(broker))),
        group_is_forbidden=await group_is_forbidden(connection, settings.group_id),
        transactions_forbidden=forbidden,
        is_kafka_4=connection._versions.get(END_TRANSACTION, (0, 0))[1] >= END_TRANSACTION_OF_KAFKA_4,
    )


def _topics(found: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, Topic]]:
    """Those that are there, and those that only their owner may know of."""
    for error_code, name, _, partitions, bits in found:
        if error_code == TopicAuthorizationFailedError.errno:
            yield name, Topic(name, is_forbidden=True)
        elif partitions:
            seen = [
                Partition(len(replicas), len(in_sync), has_leader=leader >= 0)
                for _, _, leader, _, replicas, in_sync, _ in partitions
            ]
            yield name, Topic(name, partitions=seen, operations=operations(bits))


async def _configurations(
    connection: AIOKafkaConnection, topics: Iterable[str], *, broker: int
) -> dict[tuple[int, str], Configuration]:
    """The configurations that may be read, by kind and name of what they are for."""
    wanted = [*((TOPIC_RESOURCE, topic, None) for topic in topics), (BROKER_RESOURCE, str(broker), None)]
    try:
        response = await connection.send(DescribeConfigsRequest(wanted))
    except (NotImplementedError, IncompatibleBrokerVersion):
        return {}  # the embedded broker has none
    return {
        (kind, name): {entry[0]: entry[1] for entry in entries if entry[1] is not None}
        for error_code, _, kind, name, entries in response.resources
        if not error_code
    }
