"""What docs/security.md lists is enough; each permission is needed, and the instance says which one is missing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from config.settings import Settings
from consumer.commands.audit.command import VIOLATED, Plan, audit
from consumer.commands.audit.scope import Range
from consumer.commands.check.permissions import permissions
from consumer.failures import CannotConnect, Failure, Stalled
from consumer.kafka.caller import Request, reading, submitting
from consumer.kafka.survey.cluster import survey
from consumer.service import Service
from tests.support.guest import Guest
from tests.support.in_process import running_service
from tests.support.kafka import commit, produce, read
from tests.support.permissions import documented
from tests.support.records import request
from tests.support.waiting import wait_until

MODES = {"at_least_once": ("At least once",), "exactly_once": ("At least once", "Exactly once")}


@pytest.mark.parametrize("delivery", MODES)
async def test_what_is_documented_is_enough(guest: Guest, delivery: str) -> None:
    await guest.let_in()
    await guest.permit(*MODES[delivery])
    async with running_service(guest.password(delivery=delivery)) as service:
        await guest.answered(service, "a", "b")
        await produce(guest.kafka, guest.topics.request_topic, [b"no batch"])
        await wait_until(lambda: service.report.batches == 3)
    assert [letter.value() for letter in await read(guest.kafka, guest.topics.dead_letter_topic)] == [b"no batch"]


@pytest.mark.parametrize("delivery", MODES)
async def test_check_misses_nothing_that_is_documented(guest: Guest, delivery: str) -> None:
    await guest.let_in()
    await guest.permit(*MODES[delivery])
    settings = guest.password(delivery=delivery)
    cluster = await survey(settings)
    assert [address.trouble for address in cluster.brokers] == [None]
    assert list(permissions(settings, cluster)) == []


@dataclass(frozen=True)
class Missing:
    """The place of a permission in the documentation, and what an instance without it does."""

    heading: str
    place: int
    failure: type[Failure]
    told: str


@pytest.mark.parametrize(
    "missing",
    [
        Missing("At least once", 0, CannotConnect, "topic .*-requests cannot be used: .*TopicAuthorizationFailed"),
        Missing("At least once", 1, CannotConnect, "GroupAuthorizationFailed.*lacks Read on the group"),
        Missing("At least once", 2, CannotConnect, "topic .*-results cannot be used: .*TopicAuthorizationFailed"),
        Missing("At least once", 3, Stalled, "nothing can be published to .*-dlq: .*TopicAuthorizationFailed"),
        Missing("Exactly once", 0, Stalled, "no transaction for .*lacks Write on the transactional ids"),
    ],
    ids=["read requests", "be in the group", "write results", "write dead letters", "write transactions"],
)
async def test_without_one_of_them_the_instance_ends_and_says_which(guest: Guest, missing: Missing) -> None:
    await guest.let_in()
    delivery = "exactly_once" if missing.heading == "Exactly once" else "at_least_once"
    await guest.permit(*MODES[delivery])
    rule = documented(missing.heading, guest.names(guest.name))[missing.place]
    await asyncio.to_thread(guest.kafka.forbid, rule)
    await produce(guest.kafka, guest.topics.request_topic, [b"no batch"])
    with pytest.raises(missing.failure, match=missing.told):
        await Service(impatient(guest, delivery)).run(asyncio.Event())


def impatient(guest: Guest, delivery: str) -> Settings:
    times = {"connect_timeout_ms": 4_000, "publish_timeout_ms": 1_000, "outage_timeout_ms": 2_000}
    return guest.password(delivery=delivery, **times)


async def test_there_is_no_permission_in_the_documentation_that_is_not_tested_for() -> None:
    names = dict.fromkeys(
        (
            "batch-requests",
            "batch-results",
            "batch-requests-dlq",
            "batchsum",
            "batchsum-batch-requests-",
            "User:batchsum",
        ),
        "x",
    )
    assert [len(documented(heading, names)) for heading in MODES["exactly_once"]] == [4, 1]


async def test_a_caller_needs_no_more_than_is_documented(guest: Guest) -> None:
    await guest.let_in()
    await guest.permit("Who sends requests, and who reads what becomes of them")
    settings = guest.password()
    async with (
        reading(settings, guest.topics.result_topic, guest.topics.dead_letter_topic),
        submitting(settings) as sending,
    ):

        async def one() -> "AsyncIterator[Request]":
            yield Request(b"{}")

        sources = [source async for source in sending.submit(one())]
    assert sources == [f"{guest.topics.request_topic}/0/0"]


async def test_a_caller_without_permission_is_told(guest: Guest) -> None:
    await guest.let_in()
    with pytest.raises(CannotConnect, match="lacks a permission on the cluster, or Write on any topic"):
        async with submitting(guest.password(connect_timeout_ms=3_000)):
            pass


async def test_an_auditor_needs_what_is_documented_and_all_of_it(guest: Guest) -> None:
    await guest.let_in()
    await guest.permit("Who audits")
    await produce(guest.kafka, guest.topics.request_topic, [request("lost")])
    await commit(guest.kafka, guest.topics, 1)
    plan = Plan(chosen=Range(), delivery="at_least_once", at_once=1_000, listed_max=1)
    settings = guest.password()
    assert await audit(settings, plan, as_json=True) == VIOLATED
    for rule in documented("Who audits", guest.names(guest.name)):
        await asyncio.to_thread(guest.kafka.forbid, rule)
        with pytest.raises(CannotConnect, match="AuthorizationFailed"):
            await audit(settings, plan, as_json=True)
        await asyncio.to_thread(guest.kafka.allow, [rule])


async def test_a_permission_that_is_taken_away_is_told_and_outlasted(guest: Guest) -> None:
    await guest.let_in()
    await guest.permit("At least once")
    results = documented("At least once", guest.names(guest.name))[2]
    with capture_logs() as logs:
        async with running_service(guest.password()) as service:
            await guest.answered(service, "a")
            await asyncio.to_thread(guest.kafka.forbid, results)
            await produce(guest.kafka, guest.topics.request_topic, [b'{"batchid": "b", "payload": []}'])
            await wait_until(lambda: any(line["event"] == "cannot publish, trying again" for line in logs))
            (told,) = {line["error"] for line in logs if line["event"] == "cannot publish, trying again"}
            assert "TopicAuthorizationFailed" in told
            await asyncio.to_thread(guest.kafka.allow, [results])
            await wait_until(lambda: service.report.batches == 2)
    assert await guest.answers() == ["a", "b"]


async def test_a_group_that_is_forbidden_for_a_while_is_joined_again(guest: Guest) -> None:
    """T27: aiokafka sends no heartbeat any more after the first that is refused, and believes to be in the group."""
    await guest.let_in()
    await guest.permit("At least once")
    group = documented("At least once", guest.names(guest.name))[1]
    with capture_logs() as logs:
        async with running_service(guest.password()) as service:
            await guest.answered(service, "a")
            await asyncio.to_thread(guest.kafka.forbid, group)
            await wait_until(lambda: not service.source.in_group)
            await wait_until(lambda: any(line["event"] == "not healthy" for line in logs))
            await asyncio.to_thread(guest.kafka.allow, [group])
            await guest.answered(service, "b")
            await wait_until(lambda: service.source.in_group)
