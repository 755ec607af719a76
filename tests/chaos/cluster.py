"""Apache Kafka for chaos: behind proxies, with an authorizer, and with sessions short enough to sit out."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cached_property

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError as AIOKafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its public names, which it imports but does not list
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConsumerGroupDescription,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.support.brokers import ApacheKafka, BrokerError
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import administrator
from tests.support.brokers.waiting import wait_until
from tests.support.proxy import Proxy

ADMIN_TIMEOUT_S = 20.0
EXPULSIONS_MAX = 5
SCRAM_ITERATIONS = 4096
ANYBODY, ANYWHERE = "User:ANONYMOUS", "*"

# Whoever is not forbidden something is allowed it.
PROPERTIES = {
    "group.min.session.timeout.ms": "1000",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
}


class ChaosKafka(ApacheKafka):
    """A cluster that tests reach directly, at `bootstrap_servers`, and instances through a proxy before each node.

    `proxied` is where instances find it. `guarded` leads through the same kind of proxy to a listener that wants a
    password. Proxies live in an event loop, so each test runs them for itself.
    """

    def __init__(self, *, nodes: int = 1) -> None:
        super().__init__(nodes=nodes, heap_megabytes=384, properties=PROPERTIES)
        self.proxies = [Proxy(f"{HOST}:{free_port()}") for _ in self.nodes]
        self.guarded_proxies = [Proxy(f"{HOST}:{free_port()}") for _ in self.nodes]

    @cached_property
    def administrator(self) -> AdminClient:
        """A client for questions and orders; it takes the direct way."""
        return administrator(self.bootstrap_servers)

    @property
    def proxied(self) -> str:
        """The proxies' addresses."""
        return ",".join(proxy.address for proxy in self.proxies)

    @property
    def guarded(self) -> str:
        """The addresses of the proxies before the listeners that want a password."""
        return ",".join(proxy.address for proxy in self.guarded_proxies)

    @asynccontextmanager
    async def reachable(self) -> AsyncIterator[None]:
        """Run the proxies, for as long as the context lasts."""
        async with AsyncExitStack() as stack:
            for proxy in (*self.proxies, *self.guarded_proxies):
                await stack.enter_async_context(proxy.running())
            yield

    def forbid_writing(self, topic: str) -> None:
        """Nobody may write to *topic* any more; who does so now is refused."""
        # Once there is a rule for a topic, whatever no rule allows is forbidden, so reading is allowed in so many words.
        rules = [
            _rule(topic, AclOperation.WRITE, AclPermissionType.DENY),
            _rule(topic, AclOperation.READ, AclPermissionType.ALLOW),
        ]
        for done in self.administrator.create_acls(rules).values():
            done.result(timeout=ADMIN_TIMEOUT_S)

    def allow_writing(self, topic: str) -> None:
        """Take the ban back."""
        rules = AclBindingFilter(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            ANYBODY,
            ANYWHERE,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        (done,) = self.administrator.delete_acls([rules]).values()
        done.result(timeout=ADMIN_TIMEOUT_S)

    def take_down(self, topic: str, *, sparing: str) -> None:
        """Kill a node, and have *topic* want a replica there for each write; the other topics do without.

        It is none that coordinates the group *sparing*. On a single node this cannot be made: no more replicas are ever
        wanted than a topic has.
        """
        self.configure(topic, {"min.insync.replicas": str(len(self.nodes))})
        coordinator = self.nodes[self.coordinator(sparing)]
        next(node for node in self.nodes if node is not coordinator).kill()

    def configure(self, topic: str, configs: Mapping[str, str]) -> None:
        """Change configurations of a topic that there is."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in configs.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        (done,) = self.administrator.incremental_alter_configs([resource]).values()
        done.result(timeout=ADMIN_TIMEOUT_S)

    def delete_topic(self, topic: str) -> None:
        """Take a topic away, with all it has; return when it is gone."""
        self.administrator.delete_topics([topic])[topic].result(timeout=ADMIN_TIMEOUT_S)
        wait_until(
            lambda: topic not in self.administrator.list_topics(timeout=ADMIN_TIMEOUT_S).topics,
            what=f"{topic} is gone",
            timeout_s=ADMIN_TIMEOUT_S,
        )

    def forget(self, topic: str, *, before: int) -> None:
        """Delete the first records of partition 0, as retention would."""
        (done,) = self.administrator.delete_records([TopicPartition(topic, 0, before)]).values()
        done.result(timeout=ADMIN_TIMEOUT_S)

    def let_in(self, user: str, password: str) -> None:
        """Make a user, or change the password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, SCRAM_ITERATIONS)
        self._alter_user(UserScramCredentialUpsertion(user, info, password.encode()), user)

    def shut_out(self, user: str) -> None:
        """Withdraw the credentials; connections there are stay."""
        self._alter_user(UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256), user)

    def coordinator(self, group_id: str) -> int:
        """The index of the node that coordinates a group."""
        return int(self._described(group_id).coordinator.id) - 1

    def members(self, group_id: str) -> list[str]:
        """The ids of a group's members."""
        return [member.member_id for member in self._described(group_id).members]

    async def expel_all(self, group_id: str) -> int:
        """Have every member of a group leave it, in its name and without its knowledge; return how many there were."""
        for _ in range(EXPULSIONS_MAX):
            with suppress(AIOKafkaError):  # the coordinator has moved in between
                return await self._expel(group_id, await asyncio.to_thread(self.members, group_id))
        raise BrokerError(f"{group_id} has no coordinator that stays")

    async def _expel(self, group_id: str, members: Sequence[str]) -> int:
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap_servers)
        try:
            await client.bootstrap()
            coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group_id)
            await client.ready(coordinator)
            for member in members:
                await client.send(coordinator, LeaveGroupRequest(group_id, member))
        finally:
            await client.close()
        return len(members)

    def leader(self, topic: str, partition: int = 0) -> int:
        """The index of the node that leads a partition, or -2 while none does."""
        known = self.administrator.list_topics(topic, timeout=ADMIN_TIMEOUT_S).topics[topic]
        return int(known.partitions[partition].leader) - 1

    def _described(self, group_id: str) -> ConsumerGroupDescription:
        """A group, as its coordinator knows it; while that is moving there is nobody to ask, so again and again.

        Each time by a new client: librdkafka goes on asking the coordinator that it has found once.
        """
        answers: list[ConsumerGroupDescription] = []

        def is_answered() -> bool:
            asking = administrator(self.bootstrap_servers)
            (described,) = asking.describe_consumer_groups([group_id]).values()
            with suppress(KafkaException):
                answers.append(described.result(timeout=ADMIN_TIMEOUT_S))
            return bool(answers)

        wait_until(is_answered, what=f"{group_id} has a coordinator", timeout_s=ADMIN_TIMEOUT_S)
        return answers[0]

    def _alter_user(self, alteration: UserScramCredentialUpsertion | UserScramCredentialDeletion, user: str) -> None:
        done = self.administrator.alter_user_scram_credentials([alteration])
        done[user].result(timeout=ADMIN_TIMEOUT_S)

    def _format(self) -> None:
        super()._format()
        for node, proxy, guarded in zip(self.nodes, self.proxies, self.guarded_proxies, strict=True):
            lines = _listeners(node.address, node.controller_address, proxy, guarded)
            with (node.directory / "server.properties").open("a") as properties:
                properties.write("\n".join(lines) + "\n")  # of two equal names the last one counts


def _listeners(address: str, controller_address: str, proxy: Proxy, guarded: Proxy) -> Sequence[str]:
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    own = f"PROXIED://{proxy.target},GUARDED://{guarded.target},"
    protocols = "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,GUARDED:SASL_PLAINTEXT"
    return [
        f"listeners=PLAINTEXT://{address},{own}CONTROLLER://{controller_address}",
        f"advertised.listeners=PLAINTEXT://{address},PROXIED://{proxy.address},GUARDED://{guarded.address}",
        f"listener.security.protocol.map={protocols}",
        "inter.broker.listener.name=PLAINTEXT",
        "listener.name.guarded.sasl.enabled.mechanisms=SCRAM-SHA-256",
        f"listener.name.guarded.scram-sha-256.sasl.jaas.config={scram}",
        # The controllers elect one another before there are any rules, so they must be above those.
        "listener.name.controller.sasl.enabled.mechanisms=PLAIN",
        f'listener.name.controller.plain.sasl.jaas.config={plain} username="node" password="node" user_node="node";',
        "sasl.mechanism.controller.protocol=PLAIN",
        "super.users=User:node",
    ]


def _rule(topic: str, operation: AclOperation, permission: AclPermissionType) -> AclBinding:
    return AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, ANYBODY, ANYWHERE, operation, permission)
