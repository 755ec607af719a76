"""What `batchsum check` makes of what it sees: of a cluster, a machine and the settings."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from config.units import MIB
from consumer.commands.check.brokers import reachable, timeouts, version
from consumer.commands.check.finding import Finding, Severity
from consumer.commands.check.machine import Machine, files_needed, grace, machine, memory_bounds
from consumer.commands.check.permissions import permissions
from consumer.commands.check.topics import topics
from consumer.commands.check.waiting import waiting
from consumer.kafka.survey.addresses import Address, Trouble
from consumer.kafka.survey.backlog import Backlog
from consumer.kafka.survey.cluster import Cluster, Partition, Topic

SETTINGS = Settings()
REQUESTS, RESULTS, LETTERS = SETTINGS.request_topic, SETTINGS.result_topic, SETTINGS.dead_letter_topic
HERE = Machine(cpus=8, cpu_quota=None, memory_bytes=None, open_files=1_024)
DAY_MS = 24 * 60 * 60 * 1000
ALL = frozenset({"Read", "Write", "Describe", "DescribeConfigs"})


def topic(name: str, *, partitions: int = 4, replicas: int = 3, in_sync: int | None = None, **others: str) -> Topic:
    """A topic as it should be, but for what is said."""
    size = 1_048_588 + 256 * 1024 if name == LETTERS else 1_048_588
    configuration = {
        "min.insync.replicas": "2",
        "max.message.bytes": str(size),
        "retention.ms": str(7 * DAY_MS),
        "retention.bytes": "-1",
        "cleanup.policy": "delete",
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": str((1 << 63) - 1),
    } | {setting.replace("_", "."): value for setting, value in others.items()}
    copies = Partition(replicas, replicas if in_sync is None else in_sync, has_leader=True)
    return Topic(name, partitions=[copies] * partitions, configuration=configuration, operations=ALL)


def cluster(*others: Topic, brokers: int = 3, **found: object) -> Cluster:
    """A cluster as it should be, but for *others* and what is *found*."""
    seen = {name: topic(name) for name in (REQUESTS, RESULTS, LETTERS)} | {other.name: other for other in others}
    named = [Address(f"kafka-{number}", 9092) for number in range(brokers)]
    whole = Cluster(bootstrap=named[:1], brokers=named, topics=seen, broker_configuration={})
    return replace(whole, **found)  # type: ignore[arg-type] # each by its name


def told(findings: Iterable[Finding]) -> list[tuple[Severity, str]]:
    return [(finding.severity, finding.subject) for finding in findings]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    whole = cluster()
    assert told(reachable(whole)) == []
    assert told(timeouts(SETTINGS, whole)) == []
    assert told(version(SETTINGS, whole)) == []
    assert told(topics(SETTINGS, whole)) == []
    assert told(permissions(SETTINGS, whole)) == []
    assert told(machine(SETTINGS, whole, HERE)) == []
    assert told(grace(SETTINGS, None)) == []
    assert told(grace(SETTINGS, 30)) == []


def test_a_line_says_how_bad_where_what_and_what_to_do() -> None:
    assert (
        Finding(Severity.ERROR, "topic t", "is not there", "make it").line == "error    topic t: is not there; make it"
    )


GONE = Trouble("nothing listens there", "start the broker")


def test_no_broker_is_an_error_and_one_of_several_a_warning() -> None:
    gone = Address("kafka-9", 9092, GONE)
    assert told(reachable(Cluster(bootstrap=[gone]))) == [(Severity.ERROR, "broker kafka-9:9092")]
    beside = cluster(bootstrap=[Address("kafka-0", 9092), gone])
    assert told(reachable(beside)) == [(Severity.WARNING, "broker kafka-9:9092")]


def test_an_advertised_address_that_cannot_be_reached_is_an_error() -> None:
    hidden = cluster(brokers=0, bootstrap=[Address("load-balancer", 9092)])
    found = list(reachable(replace(hidden, brokers=[Address("10.0.0.1", 9092, GONE)])))
    assert told(found) == [(Severity.ERROR, "broker 10.0.0.1:9092")]
    assert "advertised.listeners" in found[0].mend


@pytest.mark.parametrize(
    ("broker", "subject"),
    [
        ({"group.min.session.timeout.ms": "60000"}, "session_timeout_ms"),
        ({"group.max.session.timeout.ms": "30000"}, "session_timeout_ms"),
        ({"transaction.max.timeout.ms": "30000"}, "transaction_timeout_ms"),
    ],
)
def test_what_the_brokers_would_refuse_is_an_error(broker: Mapping[str, str], subject: str) -> None:
    settings = Settings(delivery="exactly_once")
    assert told(timeouts(settings, cluster(broker_configuration=broker))) == [(Severity.ERROR, subject)]


def test_a_transaction_time_out_matters_to_exactly_once_alone() -> None:
    assert told(timeouts(SETTINGS, cluster(broker_configuration={"transaction.max.timeout.ms": "1"}))) == []


def test_offsets_that_are_forgotten_within_a_day_are_a_warning() -> None:
    found = timeouts(SETTINGS, cluster(broker_configuration={"offsets.retention.minutes": "60"}))
    assert told(found) == [(Severity.WARNING, "brokers")]


def test_what_may_not_be_read_is_noted() -> None:
    assert told(timeouts(SETTINGS, cluster(broker_configuration=None))) == [(Severity.NOTE, "brokers")]
    hidden = cluster(replace(topic(RESULTS), configuration=None))
    assert told(topics(SETTINGS, hidden)) == [(Severity.NOTE, f"topic {RESULTS}")]


def test_exactly_once_before_kafka_4_is_an_error() -> None:
    old = cluster(is_kafka_4=False)
    assert told(version(SETTINGS, old)) == []
    assert told(version(Settings(delivery="exactly_once"), old)) == [(Severity.ERROR, "delivery")]


def test_topics_that_are_missing_or_out_of_sight_are_errors() -> None:
    found = cluster(Topic(RESULTS, is_forbidden=True))
    seen = {name: seen for name, seen in found.topics.items() if name != REQUESTS}
    assert told(topics(SETTINGS, replace(found, topics=seen))) == [
        (Severity.ERROR, f"topic {REQUESTS}"),
        (Severity.ERROR, f"topic {RESULTS}"),
    ]


@pytest.mark.parametrize(
    ("wrong", "severity"),
    [
        (topic(REQUESTS, in_sync=2), Severity.WARNING),
        (topic(RESULTS, in_sync=2), Severity.WARNING),
        (topic(RESULTS, in_sync=1), Severity.ERROR),
        (topic(LETTERS, in_sync=1), Severity.ERROR),
        (topic(RESULTS, min_insync_replicas="1"), Severity.WARNING),
        (topic(RESULTS, min_insync_replicas="3"), Severity.WARNING),
        (topic(RESULTS, replicas=1, min_insync_replicas="1"), Severity.WARNING),
        (topic(REQUESTS, partitions=1), Severity.NOTE),
        (topic(RESULTS, partitions=3), Severity.WARNING),
        (topic(LETTERS, max_message_bytes="1048588"), Severity.ERROR),
        (topic(RESULTS, max_message_bytes="950000"), Severity.WARNING),
        (topic(REQUESTS, cleanup_policy="compact"), Severity.WARNING),
        (topic(RESULTS, cleanup_policy="compact,delete"), Severity.WARNING),
        (topic(LETTERS, cleanup_policy="compact"), Severity.ERROR),
        (topic(REQUESTS, retention_ms="60000"), Severity.WARNING),
        (topic(REQUESTS, retention_bytes="1000000"), Severity.WARNING),
        (topic(LETTERS, retention_ms=str(DAY_MS)), Severity.WARNING),
        (topic(LETTERS, message_timestamp_type="LogAppendTime"), Severity.WARNING),
        (topic(LETTERS, message_timestamp_before_max_ms="3600000"), Severity.ERROR),
    ],
)
def test_a_topic_that_does_not_fit_is_told(wrong: Topic, severity: Severity) -> None:
    assert told(topics(SETTINGS, cluster(wrong))) == [(severity, f"topic {wrong.name}")]


def test_a_partition_without_leader_is_an_error() -> None:
    lost = topic(RESULTS)
    lost = replace(lost, partitions=[*lost.partitions[1:], Partition(3, 3, has_leader=False)])
    (found,) = topics(SETTINGS, cluster(lost))
    assert (found.severity, found.what) == (Severity.ERROR, "1 of its partitions have no leader")


def test_a_single_copy_is_no_more_than_a_note_where_there_is_a_single_broker() -> None:
    alone = [topic(name, replicas=1, min_insync_replicas="1") for name in (REQUESTS, RESULTS, LETTERS)]
    found = told(topics(SETTINGS, cluster(*alone, brokers=1)))
    assert {severity for severity, _ in found} == {Severity.NOTE}


def test_requests_that_are_kept_for_ever_want_dead_letters_that_are() -> None:
    forever = topic(REQUESTS, retention_ms="-1")
    assert told(topics(SETTINGS, cluster(forever))) == [(Severity.WARNING, f"topic {LETTERS}")]
    assert told(topics(SETTINGS, cluster(forever, topic(LETTERS, retention_ms="-1")))) == []


def test_a_batch_of_answers_that_the_topic_never_takes_is_a_warning() -> None:
    settings = Settings(result_bytes_max=1_024, publish_batch_bytes_max=262_144)
    (found,) = topics(settings, cluster(topic(RESULTS, max_message_bytes="100000")))
    assert "publish_batch_bytes_max" in found.what


def test_more_workers_than_the_partitions_can_keep_busy_are_a_warning() -> None:
    settings = Settings(workers=17, lane_chunks_max=4)
    assert told(topics(settings, cluster())) == [(Severity.WARNING, "workers")]


@pytest.mark.parametrize(("name", "operation"), [(REQUESTS, "Read"), (RESULTS, "Write"), (LETTERS, "Write")])
def test_an_operation_that_is_not_allowed_is_an_error(name: str, operation: str) -> None:
    denied = cluster(replace(topic(name), operations=ALL - {operation}))
    (found,) = permissions(SETTINGS, denied)
    assert (found.severity, found.subject) == (Severity.ERROR, f"topic {name}")
    assert found.mend == f"allow {operation} on the topic"


def test_a_broker_that_tells_no_operations_is_given_the_benefit_of_the_doubt() -> None:
    assert told(permissions(SETTINGS, cluster(replace(topic(RESULTS), operations=None)))) == []


def test_a_group_and_transactional_ids_that_are_not_allowed_are_errors() -> None:
    denied = cluster(group_is_forbidden=True, transactions_forbidden=[0, 3])
    assert told(permissions(SETTINGS, denied)) == [
        (Severity.ERROR, "group batchsum"),
        (Severity.ERROR, "transactional ids batchsum-batch-requests-*"),
    ]


def backlog(**found: int) -> Backlog:
    return Backlog(**{"waiting": 0, "lost": 0, "oldest_ms": 0, "future_ms": 0} | found)


@pytest.mark.parametrize(("share", "severity"), [(0.4, None), (0.6, Severity.WARNING), (0.9, Severity.ERROR)])
def test_the_age_of_what_waits_is_measured_by_the_retention(share: float, severity: Severity | None) -> None:
    found = told(waiting(SETTINGS, topic(REQUESTS), backlog(waiting=1, oldest_ms=int(share * 7 * DAY_MS))))
    assert found == ([(severity, "group batchsum")] if severity else [])


def test_nothing_is_too_old_where_everything_is_kept() -> None:
    forever = topic(REQUESTS, retention_ms="-1")
    assert told(waiting(SETTINGS, forever, backlog(waiting=1, oldest_ms=1_000 * DAY_MS))) == []


def test_requests_that_were_deleted_unread_are_an_error_and_a_clock_that_is_ahead_a_warning() -> None:
    found = told(waiting(SETTINGS, topic(REQUESTS), backlog(lost=5, future_ms=60_000)))
    assert found == [(Severity.ERROR, "group batchsum"), (Severity.WARNING, "clock")]


@pytest.mark.parametrize(
    ("here", "subject", "severity"),
    [
        (replace(HERE, cpus=3), "workers", Severity.WARNING),
        (replace(HERE, cpu_quota=0.5), "cpu", Severity.WARNING),
        (replace(HERE, memory_bytes=200 * MIB), "memory", Severity.ERROR),
        (replace(HERE, memory_bytes=400 * MIB), "memory", Severity.WARNING),
        (replace(HERE, open_files=64), "open files", Severity.ERROR),
    ],
)
def test_a_machine_that_is_too_small_is_told(here: Machine, subject: str, severity: Severity) -> None:
    assert told(machine(Settings(workers=4), cluster(), here)) == [(severity, subject)]


def test_the_bound_of_memory_is_what_the_guarantees_say() -> None:
    settings = Settings(worker_memory_bytes_max=50 * MIB)
    parent, worker = memory_bounds(settings, cluster(topic(REQUESTS, max_message_bytes=str(2 * MIB))))
    assert parent == 96 * MIB + 2 * 3 * settings.fetch_bytes_max + 4 * (3 * 2 * MIB + 2 * 6 * 2 * MIB)
    assert worker == 50 * MIB
    _, unbounded = memory_bounds(Settings(), cluster(topic(REQUESTS, max_message_bytes=str(2 * MIB))))
    assert unbounded == 48 * MIB + 12 * 2 * MIB + 2 * 2 * Settings().chunk_bytes_max


def test_a_worker_without_the_memory_for_the_largest_request_is_a_warning() -> None:
    small = Settings(workers=1, worker_memory_bytes_max=50 * MIB)
    assert told(machine(small, cluster(), HERE)) == [(Severity.WARNING, "worker_memory_bytes_max")]
    assert told(machine(Settings(worker_memory_bytes_max=1_024 * MIB), cluster(), HERE)) == []


def test_each_partition_has_connections_of_its_own_with_exactly_once() -> None:
    once = files_needed(Settings(delivery="exactly_once"), cluster(), workers=2)
    assert once == files_needed(SETTINGS, cluster(), workers=2) + 4 * (3 + 1)


def test_a_heartbeat_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    assert told(machine(Settings(heartbeat_file=tmp_path / "alive"), cluster(), HERE)) == []
    nowhere = Settings(heartbeat_file=tmp_path / "nowhere" / "alive")
    assert told(machine(nowhere, cluster(), HERE)) == [(Severity.ERROR, "heartbeat_file")]


def test_a_grace_period_shorter_than_draining_and_stopping_is_a_warning() -> None:
    (found,) = grace(Settings(drain_timeout_ms=25_000), 10)
    assert found.severity is Severity.WARNING
    assert found.mend == "grant 30 s, or lower it to 5000"
