"""`batchsum audit` on a broker: what an instance has done is proved, and what was forged is found by its coordinates."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from confluent_kafka import Message, Producer, TopicPartition

from consumer.commands.audit.auditor import Auditor
from consumer.commands.audit.expected import make_pool
from consumer.commands.audit.scope import Range, find_scope
from consumer.kafka.history import history
from tests.support.brokers import Broker, Topics, fresh_topics
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import administrator
from tests.support.command_line import CommandLine
from tests.support.in_process import running_service
from tests.support.kafka import commit, committed, produce, read, settings_for
from tests.support.records import request
from tests.support.waiting import wait_until

GOOD = [request(f"good {number}", [[number, 10**30], []]) for number in range(8)]
BAD = [b"not json", request("bad", [[1.5]])]
TIMEOUT_S = 30


def command_line(broker: Broker, topics: Topics, **settings: str) -> CommandLine:
    return CommandLine(bootstrap_servers=broker.bootstrap_servers, workers="1", **topics._asdict(), **settings)


async def audited(broker: Broker, topics: Topics, *options: str, **settings: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and what was found."""
    ended = await command_line(broker, topics, **settings).run("audit", "--json", *options)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


async def serve(broker: Broker, topics: Topics, *partitions: int, **settings: object) -> None:
    """Have an instance do eight good batches and two bad ones in each of *partitions*."""
    for partition in partitions:
        await produce(broker, topics.request_topic, [*GOOD, *BAD], partition=partition)
    async with running_service(settings_for(broker, topics, **settings)) as service:
        await wait_until(lambda: service.report.batches >= 10 * len(partitions))
    for partition in partitions:
        assert await committed(broker, topics, partition=partition) is not None


Copied = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]


async def forged(broker: Broker, topics: Topics, change: Callable[[list[Copied]], Sequence[Copied]]) -> Topics:
    """Topics of which the result topic has, of partition 0, what *change* makes of the answers there."""
    answers = [copied(message) for message in await read(broker, topics.result_topic)]
    others = await asyncio.to_thread(fresh_topics, broker)
    write(broker, others.result_topic, change(answers))
    return topics._replace(result_topic=others.result_topic)


def copied(message: Message) -> Copied:
    return message.key(), message.value(), cast("list[tuple[str, bytes | None]]", message.headers() or [])


def write(broker: Broker, topic: str, records: Sequence[Copied], *, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True})
    for key, value, headers in records:
        producer.produce(topic, value, key, partition, headers=[*headers])
    assert producer.flush(TIMEOUT_S) == 0


async def remove_before(broker: Broker, topic: str, offset: int) -> None:
    """What retention would do to partition 0."""
    admin = administrator(broker.bootstrap_servers)
    (removed,) = admin.delete_records([TopicPartition(topic, 0, offset)]).values()
    await asyncio.to_thread(removed.result, TIMEOUT_S)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.real_broker("it has no transactions across producers")
async def test_what_an_instance_has_done_is_proved(broker: Broker, topics: Topics, delivery: str) -> None:
    await serve(broker, topics, 0, 1, 3, delivery=delivery)
    exit_code, found = await audited(broker, topics, delivery=delivery)
    assert (exit_code, found["verdict"], found["violations"], found["listed"]) == (0, "proved", {}, [])
    assert (found["requests"], found["complete"], found["failed"], found["pending"]) == (30, 24, 6, 0)


async def test_people_are_told_on_one_screen(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0)
    ended = await command_line(broker, topics).run("audit")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "of these\trequests",
        "answered with their sums\t8",
        "failed, and kept as dead letters\t2",
        "not done yet, and not due\t0",
        "with outcomes that retention may have removed\t0",
        "without an outcome\t0",
        "proved: each of 10 requests has its outcome, every sum is right, and all are in order",
    ]


def without_the_third(answers: list[Copied]) -> list[Copied]:
    return [*answers[:3], *answers[4:]]


def with_a_wrong_sum(answers: list[Copied]) -> list[Copied]:
    key, value, headers = answers[5]
    assert value is not None
    return [*answers[:5], (key, value.replace(b"1000000", b"1000001", 1), headers), *answers[6:]]


def with_two_in_each_other_s_place(answers: list[Copied]) -> list[Copied]:
    return [*answers[:2], answers[3], answers[2], *answers[4:]]


def with_one_that_nobody_asked_for(answers: list[Copied]) -> list[Copied]:
    key, value, (source, *headers) = answers[0]
    assert source[1] is not None
    return [*answers, (key, value, [(source[0], source[1] + b"99"), *headers])]


def with_one_that_says_nothing_of_its_request(answers: list[Copied]) -> list[Copied]:
    return [*answers, (b"key", b"value", [])]


FORGED = {
    without_the_third: ("no outcome", 3),
    with_a_wrong_sum: ("wrong answer", 5),
    with_two_in_each_other_s_place: ("answer out of order", 2),
    with_one_that_nobody_asked_for: ("an outcome of no request", 99),
}


async def test_what_is_missing_or_wrong_is_found_by_its_coordinates(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0)
    for change, (kind, offset) in FORGED.items():
        exit_code, found = await audited(broker, await forged(broker, topics, change))
        assert (exit_code, found["verdict"]) == (8, "violated")
        places = [(each["kind"], each["topic"], each["partition"], each["offset"]) for each in found["listed"]]
        assert places == [(kind, topics.request_topic, 0, offset)]
    ended = await command_line(broker, await forged(broker, topics, without_the_third)).run("audit")
    assert f"no outcome\t{topics.request_topic}/0/3\t" in ended.stdout.splitlines()
    assert ended.stdout.splitlines()[-1] == "violated: no outcome (1)"
    assert ended.stderr.startswith("no outcome: lost, or deleted")


async def test_an_outcome_that_names_no_request_is_found_where_it_stands(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0)
    edited = await forged(broker, topics, with_one_that_says_nothing_of_its_request)
    exit_code, found = await audited(broker, edited)
    (listed,) = found["listed"]
    assert (exit_code, listed["kind"]) == (8, "an answer without a source")
    assert (listed["topic"], listed["partition"], listed["offset"]) == (edited.result_topic, 0, 9)


async def test_a_doubled_outcome_is_told_and_a_violation_where_none_may_be_doubled(
    broker: Broker, topics: Topics
) -> None:
    await serve(broker, topics, 0)
    edited = await forged(broker, topics, lambda answers: [*answers, answers[4], answers[4]])
    exit_code, told = await audited(broker, edited)
    assert (exit_code, told["verdict"], told["repeated"], told["violations"]) == (0, "proved", 1, {})
    assert [(each["kind"], each["offset"], each["detail"]) for each in told["listed"]] == [("repeated", 4, "3 times")]
    for options, settings in ((("--exactly-once",), {}), ((), {"delivery": "exactly_once"})):
        exit_code, found = await audited(broker, edited, *options, **settings)
        assert (exit_code, found["violations"]) == (8, {"more than one outcome": 1})


async def test_a_dead_letter_that_is_not_the_request_is_found(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0)
    (key, value, headers), *_ = [copied(message) for message in await read(broker, topics.dead_letter_topic)]
    assert value == b"not json"
    write(broker, topics.dead_letter_topic, [(key, b"no json", headers)])
    exit_code, found = await audited(broker, topics)
    assert (exit_code, set(found["violations"])) == (
        8,
        {"the dead letter is not the request", "two different dead letters"},
    )
    assert {(each["partition"], each["offset"]) for each in found["listed"] if each["kind"] != "repeated"} == {(0, 8)}


async def test_what_is_not_consumed_yet_is_pending_and_not_missing(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0)
    await produce(broker, topics.request_topic, GOOD)
    await produce(broker, topics.request_topic, GOOD, partition=2)
    exit_code, found = await audited(broker, topics)
    assert (exit_code, found["verdict"], found["pending"], found["missing"]) == (0, "proved", 16, 0)
    exit_code, found = await audited(broker, topics, "--all-due", "--limit", "100")
    assert (exit_code, found["violations"]) == (8, {"no outcome": 16})
    assert [(each["partition"], each["offset"]) for each in found["listed"]] == [
        *((0, offset) for offset in range(10, 18)),
        *((2, offset) for offset in range(8)),
    ]


async def test_a_range_is_that_of_its_partitions_and_offsets(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0, 1)
    for options, requests in ((("--partition", "1"), 10), (("--offsets", "2:5"), 6), (("--offsets", "9"), 2)):
        exit_code, found = await audited(broker, topics, *options)
        assert (exit_code, found["verdict"], found["requests"]) == (0, "proved", requests)


@pytest.mark.real_broker("it does not look offsets up by time")
async def test_a_range_is_that_of_its_times(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0, 1)
    for times, requests in (
        ("--since=1h", 20),
        ("--until=2999-01-01", 20),
        ("--since=2999-01-01", 0),
        ("--until=1h", 0),
    ):
        exit_code, found = await audited(broker, topics, times)
        assert (exit_code, found["requests"]) == (0, requests)


@pytest.mark.real_broker("it deletes no records")
async def test_what_retention_has_removed_is_told_and_no_violation(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0)
    await remove_before(broker, topics.result_topic, 4)
    exit_code, found = await audited(broker, topics)
    assert (exit_code, found["verdict"], found["complete"], found["unknown"]) == (0, "proved", 4, 4)
    await remove_before(broker, topics.request_topic, 6)
    exit_code, found = await audited(broker, topics)
    assert (exit_code, found["requests"], found["outdated"]) == (0, 4, {"answer": 2})
    assert (found["ranges"][0]["from"], found["ranges"][0]["kept_from"], found["removed_unread"]) == (6, 6, 0)
    await produce(broker, topics.request_topic, GOOD)
    await remove_before(broker, topics.request_topic, 13)
    ended = await command_line(broker, topics).run("audit")
    assert ended.returncode == 0
    assert "retention has removed 3 offsets of requests before they were done" in ended.stderr


@pytest.mark.real_broker("it deletes no records")
async def test_retention_may_overtake_an_audit(broker: Broker, topics: Topics) -> None:
    await serve(broker, topics, 0)
    settings = settings_for(broker, topics)
    pool = make_pool(settings)
    await pool.start()
    try:
        async with history(settings) as there:
            scope = await find_scope(settings, Range(), there)
            await remove_before(broker, topics.request_topic, 3)
            await remove_before(broker, topics.result_topic, 5)
            auditor = Auditor(settings, scope, there, pool, delivery="at_least_once", at_once=1_000, listed_max=10)
            findings = await auditor.run()
    finally:
        await pool.stop()
    assert (findings.verdict, findings.requests, findings.removed_since) == ("proved", 7, 3)
    assert (findings.states["complete"], findings.states["failed"], findings.states["unknown"]) == (3, 2, 2)


async def test_a_running_instance_does_not_disturb_it(broker: Broker, topics: Topics) -> None:
    many = [request(f"many {number}", [[number]]) for number in range(3_000)]
    async with running_service(settings_for(broker, topics)) as service:
        for turn in range(3):
            await produce(broker, topics.request_topic, many)
            await wait_until(lambda turn=turn: service.report.batches > 3_000 * turn)  # type: ignore[misc]
            exit_code, found = await audited(broker, topics)
            assert (exit_code, found["violations"]) == (0, {})
    exit_code, found = await audited(broker, topics, "--at-once", "1000")
    assert (exit_code, found["complete"], found["pending"]) == (0, 9_000, 0)


async def test_what_cannot_be_audited_is_told_in_a_line(broker: Broker, topics: Topics) -> None:
    await produce(broker, topics.request_topic, GOOD)
    lost = await command_line(broker, topics).run("audit")
    assert lost.returncode == 2
    assert lost.stderr.startswith(f"the group {topics.group_id} has committed nothing on {topics.request_topic}")
    await commit(broker, topics, 8)
    assert (await command_line(broker, topics).run("audit")).returncode == 8
    nowhere = await command_line(broker, topics).run("audit", "--partition", "9")
    assert (nowhere.returncode, nowhere.stderr) == (2, f"{topics.request_topic} has no partition 9\n")


def test_brokers_that_are_not_there_are_told_in_a_line() -> None:
    ended = CommandLine(workers="1", connect_timeout_ms="100")("audit", "--bootstrap-servers", f"{HOST}:{free_port()}")
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "Say where by --bootstrap-servers" in line
