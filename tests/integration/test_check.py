"""`batchsum check` with real brokers, as they are and as they should not be."""

import asyncio
import io
import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from config.logging import configure
from config.settings import Settings
from consumer.commands.check.command import check
from tests.support.brokers import ApacheKafka, Broker, Topics, fresh_topics
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import administrator
from tests.support.command_line import CommandLine
from tests.support.in_process import running_service
from tests.support.kafka import commit, produce, read, settings_for
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_broker("it has neither topics that can be looked at nor permissions")

TIMEOUT_S = 30
DAY_MS = 24 * 60 * 60 * 1000
SERVERS = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"}


async def checked(
    broker: Broker, topics: Topics, *, grace_period_s: float | None = None, **others: object
) -> tuple[int, list[dict[str, str]]]:
    """The exit code, and what is found but for notes."""
    given = {"bootstrap_servers": broker.bootstrap_servers, **topics._asdict(), "workers": 1}
    settings = Settings.model_validate(given | others)
    configure(settings, sys.stderr)
    with redirect_stdout(io.StringIO()) as printed:
        code = await check(settings, grace_period_s=grace_period_s, as_json=True)
    found = [json.loads(line) for line in printed.getvalue().splitlines()]
    assert all(finding.keys() == {"severity", "subject", "what", "mend"} for finding in found)
    return code, [finding for finding in found if finding["severity"] != "note"]


async def test_a_cluster_as_it_should_be_has_nothing_but_notes(broker: Broker, topics: Topics) -> None:
    assert await checked(broker, topics, grace_period_s=60) == (0, [])
    assert await checked(broker, topics, delivery="exactly_once") == (0, [])


def test_people_are_told_line_by_line_with_the_worst_first(broker: Broker, topics: Topics) -> None:
    given = {"bootstrap_servers": broker.bootstrap_servers, **topics._asdict(), "result_topic": "nowhere"}
    ended = CommandLine(**given)("check", "--grace-period", "1")
    assert ended.returncode == 9
    first, *others = ended.stdout.splitlines()
    assert first == "error    topic nowhere: is not there; `batchsum topics create` makes it"
    severities = [line.split()[0] for line in others]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert "warning" in severities
    assert ended.stderr.startswith("1 error, 1 warning, ")


async def test_topics_that_are_missing_are_told_and_not_made(broker: Broker, topics: Topics) -> None:
    missing = Topics(*(f"{name}-missing" for name in topics))
    code, found = await checked(broker, missing)
    assert code == 9
    assert [finding["subject"] for finding in found] == [f"topic {name}" for name in missing[:3]]
    there = administrator(broker.bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics
    assert not set(missing) & set(there)


@pytest.mark.parametrize(
    ("configuration", "code", "says"),
    [
        ({"max_message_bytes": "100000"}, 9, "max.message.bytes"),
        ({"cleanup_policy": "compact"}, 9, "cleanup.policy"),
        ({"retention_ms": "60000"}, 10, "retention.ms"),
        ({"message_timestamp_type": "LogAppendTime"}, 10, "message.timestamp.type"),
        ({"message_timestamp_before_max_ms": "1000"}, 9, "message.timestamp.before.max.ms"),
    ],
)
async def test_a_dead_letter_topic_that_would_not_keep_dead_letters_is_told(
    broker: Broker, topics: Topics, configuration: dict[str, str], code: int, says: str
) -> None:
    other = f"{topics.dead_letter_topic}-other"
    broker.create_topic(other, partitions=4, **({"max_message_bytes": "1200000"} | configuration))
    ended, (finding,) = await checked(broker, topics._replace(dead_letter_topic=other))
    assert ended == code
    assert finding["subject"] == f"topic {other}"
    assert says in finding["mend"]


async def test_fewer_result_partitions_than_request_partitions_are_told(broker: Broker, topics: Topics) -> None:
    fewer = fresh_topics(broker, partitions=2).result_topic
    code, (finding,) = await checked(broker, topics._replace(result_topic=fewer))
    assert (code, finding["subject"]) == (10, f"topic {fewer}")
    assert finding["what"].startswith("has 2 partitions and the requests have 4")


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"session_timeout_ms": 5_000, "heartbeat_interval_ms": 1_000}, "session_timeout_ms"),
        ({"heartbeat_file": "/nowhere/alive"}, "heartbeat_file"),
    ],
)
async def test_settings_that_this_broker_and_machine_contradict_are_errors(
    broker: Broker, topics: Topics, settings: dict[str, Any], subject: str
) -> None:
    code, (finding,) = await checked(broker, topics, **settings)
    assert (code, finding["severity"], finding["subject"]) == (9, "error", subject)


async def test_more_workers_than_cpus_are_a_warning(broker: Broker, topics: Topics) -> None:
    code, found = await checked(broker, topics, workers=1_024)
    assert code == 10
    assert {finding["subject"] for finding in found} >= {"workers"}


def write(broker: Broker, topic: str, *, timestamp_ms: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(topic, b"{}", partition=0, timestamp=timestamp_ms)
    assert not producer.flush(TIMEOUT_S)


def for_a_week(broker: Broker, topics: Topics) -> Topics:
    """The same, with requests that are kept for seven days, and one that has waited for six of them."""
    weekly = topics._replace(request_topic=f"{topics.request_topic}-weekly")
    broker.create_topic(weekly.request_topic, partitions=4, retention_ms=str(7 * DAY_MS))
    write(broker, weekly.request_topic, timestamp_ms=int(time.time() * 1000) - 6 * DAY_MS)
    return weekly


async def test_what_waits_for_most_of_the_retention_is_told(broker: Broker, topics: Topics) -> None:
    code, (finding,) = await checked(broker, for_a_week(broker, topics))
    assert (code, finding["subject"]) == (9, f"group {topics.group_id}")
    assert finding["what"].startswith("1 requests wait, the oldest for 5184")


async def test_what_is_done_does_not_wait(broker: Broker, topics: Topics) -> None:
    weekly = for_a_week(broker, topics)
    await commit(broker, weekly, 1)
    assert await checked(broker, weekly) == (0, [])


async def test_requests_that_were_deleted_unread_are_told(broker: Broker, topics: Topics) -> None:
    await produce(broker, topics.request_topic, [b"{}"] * 5)
    await commit(broker, topics, 1)
    place = TopicPartition(topics.request_topic, 0, 4)
    admin: AdminClient = administrator(broker.bootstrap_servers)
    await asyncio.wrap_future(admin.delete_records([place])[place])
    code, (finding,) = await checked(broker, topics)
    assert (code, finding["severity"]) == (9, "error")
    assert finding["what"].startswith("3 requests were deleted before they were read")


async def test_a_clock_that_is_ahead_is_told(broker: Broker, topics: Topics) -> None:
    write(broker, topics.request_topic, timestamp_ms=int(time.time() * 1000) + 600_000)
    code, (finding,) = await checked(broker, topics)
    assert (code, finding["subject"]) == (10, "clock")


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
async def test_an_instance_that_runs_is_not_disturbed(broker: Broker, topics: Topics, delivery: str) -> None:
    """To begin a transaction of its partitions would fence it, to join its group would rebalance it."""
    batch = b'{"batchid": "b", "payload": [[1, 2]]}'
    async with running_service(settings_for(broker, topics, delivery=delivery)) as service:
        await wait_until(lambda: len(service.source.partitions) == 4)
        await produce(broker, topics.request_topic, [batch])
        await wait_until(lambda: service.report.batches == 1)
        rebalances = service.source.rebalances
        assert await checked(broker, topics, delivery=delivery) == (0, [])
        await produce(broker, topics.request_topic, [batch])
        await wait_until(lambda: service.report.batches == 2)
        assert service.source.rebalances == rebalances
    assert len(await read(broker, topics.result_topic)) == 2


class Nowhere:
    """Stands for brokers that cannot be used."""

    kind = "external"

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers


def nowhere(address: str) -> Any:
    return Nowhere(address)


UNKNOWN = Topics("requests", "results", "letters", "group")


async def test_brokers_that_cannot_be_used_are_told_one_by_one_with_the_reason() -> None:
    servers = nowhere(f"{HOST}:{free_port()},nowhere.invalid:9092")
    code, found = await checked(servers, UNKNOWN, connect_timeout_ms=5_000)
    assert code == 9
    assert [finding["what"] for finding in found] == ["nothing listens there", "its name is not known here"]


async def test_a_broker_that_does_not_answer_is_told() -> None:
    with socket.create_server((HOST, 0)) as silent:
        code, (finding,) = await checked(nowhere(f"{HOST}:{silent.getsockname()[1]}"), UNKNOWN, connect_timeout_ms=500)
    assert (code, finding["what"]) == (9, "it does not answer")


async def test_tls_where_none_is_spoken_is_told(broker: Broker) -> None:
    code, (finding,) = await checked(broker, UNKNOWN, security_protocol="SSL")
    assert code == 9
    assert "security_protocol is SSL: set what this listener speaks" in finding["mend"]


@pytest.fixture(scope="module")
def guarded(java_and_its_jars: None) -> Iterator[ApacheKafka]:
    """A broker that allows everything of which nobody has said who may do it."""
    with ApacheKafka(properties=SERVERS | {"allow.everyone.if.no.acl.found": "true"}) as kafka:
        yield kafka


def reserve(broker: Broker, kind: ResourceType, name: str, operation: AclOperation) -> None:
    """Let somebody else do *operation*, and so nobody but them."""
    admin: AdminClient = administrator(broker.bootstrap_servers)
    binding = AclBinding(
        kind, name, ResourcePatternType.LITERAL, "User:somebody-else", "*", operation, AclPermissionType.ALLOW
    )
    admin.create_acls([binding])[binding].result(TIMEOUT_S)


def allow(broker: Broker, kind: ResourceType, name: str, operation: AclOperation) -> None:
    admin: AdminClient = administrator(broker.bootstrap_servers)
    binding = AclBinding(
        kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, AclPermissionType.ALLOW
    )
    admin.create_acls([binding])[binding].result(TIMEOUT_S)


async def test_each_permission_that_is_missing_is_told(guarded: ApacheKafka) -> None:
    topics = fresh_topics(guarded)
    assert await checked(guarded, topics, delivery="exactly_once") == (0, [])
    for name in (topics.result_topic, topics.dead_letter_topic):
        allow(guarded, ResourceType.TOPIC, name, AclOperation.DESCRIBE)
    reserve(guarded, ResourceType.TOPIC, topics.request_topic, AclOperation.READ)
    reserve(guarded, ResourceType.GROUP, topics.group_id, AclOperation.READ)
    transactional_id = f"{topics.group_id}-{topics.result_topic}-2"
    reserve(guarded, ResourceType.TRANSACTIONAL_ID, transactional_id, AclOperation.WRITE)

    code, found = await checked(guarded, topics, delivery="exactly_once")
    assert code == 9
    told = {finding["subject"]: finding["what"] for finding in found}
    assert told[f"topic {topics.request_topic}"] == "is not there, or may not be described"
    assert told[f"topic {topics.result_topic}"].startswith("Write is not allowed: ")
    assert told[f"topic {topics.dead_letter_topic}"].startswith("Write is not allowed: ")
    assert told[f"group {topics.group_id}"].startswith("Read is not allowed: ")


async def test_a_transactional_id_that_may_not_be_used_is_told(guarded: ApacheKafka) -> None:
    topics = fresh_topics(guarded)
    reserved = f"{topics.group_id}-{topics.request_topic}-2"
    reserve(guarded, ResourceType.TRANSACTIONAL_ID, reserved, AclOperation.WRITE)
    assert await checked(guarded, topics) == (0, [])
    code, (finding,) = await checked(guarded, topics, delivery="exactly_once")
    assert (code, finding["subject"]) == (9, f"transactional ids {topics.group_id}-{topics.request_topic}-*")
    assert finding["what"].startswith("Write is not allowed for 1 partitions")


def test_permissions_of_its_own_that_check_lacks_are_noted(guarded: ApacheKafka) -> None:
    topics = fresh_topics(guarded)
    allow(guarded, ResourceType.TOPIC, topics.result_topic, AclOperation.WRITE)
    given = {"bootstrap_servers": guarded.bootstrap_servers, **topics._asdict(), "workers": "1"}
    ended = CommandLine(**given)("check")
    assert ended.returncode == 0
    note = f"note     topic {topics.result_topic}: its configuration may not be read; "
    assert any(line.startswith(note) for line in ended.stdout.splitlines())
