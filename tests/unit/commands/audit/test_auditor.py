"""An audit of histories that were made by hand: what it finds, whatever it has in memory at once, and how much that is."""

import asyncio
import json
import multiprocessing
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from config.settings import Settings
from consumer.board import NOWHERE, Place
from consumer.commands.audit.auditor import Auditor
from consumer.commands.audit.findings import Findings
from consumer.commands.audit.scope import Scope
from consumer.kafka.history import Overtaken, Span
from consumer.ledger.entry import Delivery, Entry
from consumer.pool import Pool
from domain.batch import Limits, Outcomes
from domain.summation import process_chunk
from tests.support.logs import HandmadeTopics

SETTINGS = Settings()
REQUESTS, ANSWERS, LETTERS = SETTINGS.request_topic, SETTINGS.result_topic, SETTINGS.dead_letter_topic
ALL_AT_ONCE = 1_000_000


class HandmadePool(Pool):
    """Does the work at once, and remembers how many batches it had."""

    def __init__(self) -> None:
        self.batches = 0

    async def outcomes(self, values: Sequence[bytes | None], place: Place = NOWHERE) -> Outcomes:
        self.batches += len(values)
        return process_chunk(values, Limits())

    @property
    def pids(self) -> list[int]:
        return [1]


def request(partition: int, offset: int) -> Entry:
    """Every seventh is bad, and of those every second has no batchid."""
    payload: object = [[partition, offset], [-offset]] if offset % 7 else "none"
    batch: dict[str, object] = {"batchid": f"{partition}/{offset}", "payload": payload}
    if offset % 14 == 0:
        del batch["batchid"]
    key = b"key" if offset % 2 else None
    return Entry(REQUESTS, partition, offset, key, json.dumps(batch).encode(), [("trace", b"1")], 1_000 + offset)


def answer(partition: int, offset: int, **others: object) -> Entry:
    asked = request(partition, offset)
    (outcome,) = process_chunk([asked.value], Limits())
    assert outcome.answer is not None
    value = json.dumps(json.loads(outcome.answer) | others).encode()
    key = f"{partition}/{offset}".encode() if asked.key is None else asked.key
    return Entry(ANSWERS, partition, 0, key, value, [("source", f"{REQUESTS}/{partition}/{offset}".encode())], 0)


def letter(partition: int, offset: int, reason: str = "invalid_request") -> Entry:
    reasons = {"reason": reason, "topic": REQUESTS, "partition": partition, "offset": offset}
    asked = request(partition, offset)
    headers = [*asked.headers, *((f"dlq.{name}", str(value).encode()) for name, value in reasons.items())]
    return asked._replace(topic=LETTERS, headers=headers)


def outcomes(partition: int, offset: int) -> Iterable[Entry]:
    """What the service would have made of that request."""
    if offset % 14:
        yield answer(partition, offset)
    if offset % 7 == 0:
        yield letter(partition, offset)


def history(per_partition: int) -> HandmadeTopics:
    topics = HandmadeTopics()
    for partition in range(3):
        for offset in range(per_partition):
            topics.write(request(partition, offset))
            for outcome in outcomes(partition, offset):
                topics.write(outcome)
    return topics


def without(topics: HandmadeTopics, partition: int, offset: int) -> None:
    """Take the outcomes of a request away."""
    source, place = f"{REQUESTS}/{partition}/{offset}".encode(), str(offset).encode()
    for topic, name, value in ((ANSWERS, "source", source), (LETTERS, "dlq.offset", place)):
        log = topics.logs[topic, partition]
        kept = [each for each in log if dict(each.headers)[name] != value]
        log[:] = [each._replace(offset=number) for number, each in enumerate(kept)]


async def audited(
    topics: HandmadeTopics,
    *,
    at_once: int = ALL_AT_ONCE,
    due: dict[int, int] | None = None,
    delivery: Delivery = "at_least_once",
    pool: HandmadePool | None = None,
    scope: Scope | None = None,
    listed_max: int = 1_000,
) -> Findings:
    auditor = Auditor(
        SETTINGS,
        scope or await everything(topics, due=due),
        topics,
        pool or HandmadePool(),
        delivery=delivery,
        at_once=at_once,
        listed_max=listed_max,
    )
    return await auditor.run()


async def everything(topics: HandmadeTopics, *, due: dict[int, int] | None = None) -> Scope:
    requests = await topics.spans(REQUESTS)
    return Scope(
        requests=requests,
        outcomes={"answer": await topics.spans(ANSWERS), "dead letter": await topics.spans(LETTERS)},
        due=due,
        kept={span.partition: span.kept_from for span in requests},
        newest={span.partition: span.end for span in requests},
    )


def listed(findings: Findings) -> dict[str, list[tuple[int, int]]]:
    return {kind: [(each.partition, each.offset) for each in found] for kind, found in findings.listed.items() if found}


@pytest.mark.parametrize("at_once", [ALL_AT_ONCE, 100, 7, 1])
async def test_a_right_history_is_proved_in_any_number_of_rounds(at_once: int) -> None:
    pool = HandmadePool()
    findings = await audited(history(100), at_once=at_once, pool=pool)
    assert (findings.verdict, findings.violations, findings.repeated) == ("proved", Counter(), 0)
    assert findings.states == {"complete": 255, "failed": 45}
    assert pool.batches == 300


def forge_nothing_of_a_request(topics: HandmadeTopics) -> None:
    without(topics, 1, 30)


def forge_a_wrong_sum(topics: HandmadeTopics) -> None:
    without(topics, 1, 99)
    topics.write(answer(1, 99, response=[100, -98]))


def forge_a_sum_in_quotes(topics: HandmadeTopics) -> None:
    without(topics, 1, 99)
    topics.write(answer(1, 99, response=["100", "-99"]))


def forge_the_order(topics: HandmadeTopics) -> None:
    without(topics, 1, 5)
    topics.write(answer(1, 5))


def forge_a_stranger(topics: HandmadeTopics) -> None:
    topics.write(answer(1, 100))
    topics.write(answer(2, 10**17)._replace(partition=0))


def forge_a_source_without_end(topics: HandmadeTopics) -> None:
    for offset in (b"9" * 5_000, "\N{ARABIC-INDIC DIGIT ONE}".encode(), b"-1", b""):
        topics.write(answer(2, 1)._replace(headers=[("source", f"{REQUESTS}/2/".encode() + offset)]))


def forge_an_answer_that_is_none(topics: HandmadeTopics) -> None:
    for batchid, status in ((7, "complete"), ("1/8", "odd")):
        topics.write(answer(1, 8, batchid=batchid, status=status)._replace(key=None))


def forge_a_lost_letter(topics: HandmadeTopics) -> None:
    without(topics, 0, 7)
    topics.write(answer(0, 7))


FORGED: dict[Callable[[HandmadeTopics], None], dict[str, list[tuple[int, int]]]] = {
    forge_nothing_of_a_request: {"no outcome": [(1, 30)]},
    forge_a_wrong_sum: {"wrong answer": [(1, 99)]},
    forge_a_sum_in_quotes: {"wrong answer": [(1, 99)]},
    forge_the_order: {"answer out of order": [(1, 5)]},
    forge_a_stranger: {"an outcome of no request": [(2, 10**17), (1, 100)]},
    forge_a_source_without_end: {"an answer without a source": [(2, 92 + number) for number in range(4)]},
    forge_an_answer_that_is_none: {"an answer that cannot be read": [(1, 8), (1, 8)]},
    forge_a_lost_letter: {
        "answer out of order": [(0, 7)],
        "no outcome": [(0, 7)],
        "failed without a dead letter": [(0, 7)],
    },
}


@pytest.mark.parametrize("at_once", [ALL_AT_ONCE, 20])
@pytest.mark.parametrize("forge", FORGED, ids=lambda forge: forge.__name__)
async def test_what_was_forged_is_found_by_its_coordinates(
    forge: Callable[[HandmadeTopics], None], at_once: int
) -> None:
    topics = history(100)
    forge(topics)
    findings = await audited(topics, at_once=at_once)
    assert findings.verdict == "violated"
    assert listed(findings) == FORGED[forge]


def shuffled(seed: int) -> HandmadeTopics:
    """A history in which much is missing, repeated, wrong, in the wrong place or out of order."""
    chance = random.Random(seed)
    topics = history(60)
    for log in [log for (topic, _), log in topics.logs.items() if topic != REQUESTS]:
        for _ in range(chance.randrange(8)):
            log.insert(chance.randrange(len(log)), chance.choice(log))
            log.pop(chance.randrange(len(log)))
            here, there = chance.randrange(len(log)), chance.randrange(len(log))
            log[here], log[there] = log[there], log[here]
        log[:] = [each._replace(offset=offset) for offset, each in enumerate(log)]
    for _ in range(3):
        partition, offset = chance.randrange(3), chance.randrange(1, 60)
        topics.write(answer(partition, offset | 1, response=[7])._replace(partition=chance.randrange(3)))
    topics.kept_from[ANSWERS, 2] = chance.randrange(20)
    topics.logs[ANSWERS, 0].append(answer(0, 1)._replace(headers=[], offset=len(topics.logs[ANSWERS, 0])))
    return topics


@pytest.mark.parametrize("seed", range(25))
async def test_rounds_make_no_difference_to_what_is_found(seed: int) -> None:
    topics = shuffled(seed)
    due = {0: 60, 1: 50}
    whole = await audited(topics, due=due)
    assert whole.violations
    for at_once in (90, 17, 3):
        parts = await audited(topics, due=due, at_once=at_once)
        assert parts.violations == whole.violations
        assert (parts.states, parts.repeated, parts.outdated) == (whole.states, whole.repeated, whole.outdated)
        assert {kind: sorted(found) for kind, found in parts.listed.items()} == {
            kind: sorted(found) for kind, found in whole.listed.items()
        }


async def test_rounds_look_at_each_outcome_about_twice_and_no_more() -> None:
    topics = history(300)
    await audited(topics, at_once=30)
    records = sum(map(len, topics.logs.values()))
    assert records < topics.given < 2.2 * records


async def test_what_is_not_due_is_pending_and_not_missing() -> None:
    topics = history(50)
    for offset in (40, 45, 49):
        without(topics, 1, offset)
    findings = await audited(topics, due={0: 50, 1: 45, 2: 50})
    assert listed(findings) == {"no outcome": [(1, 40)]}
    assert (findings.states["pending"], findings.states["missing"]) == (2, 1)


async def test_a_repetition_is_told_and_exactly_once_a_violation() -> None:
    topics = history(50)
    for _ in range(2):
        topics.write(answer(2, 48))
    told = await audited(topics)
    assert (told.verdict, told.repeated) == ("proved", 1)
    assert [str(each) for each in told.listed["repeated"]] == ["2/48: repeated (3 times)"]
    forbidden = await audited(topics, delivery="exactly_once")
    assert listed(forbidden)["more than one outcome"] == [(2, 48)]


async def test_what_retention_has_removed_of_the_outcomes_is_unknown_and_not_missing() -> None:
    topics = history(50)
    topics.kept_from[ANSWERS, 0] = 10
    findings = await audited(topics)
    assert (findings.verdict, findings.states["unknown"], findings.states["missing"]) == ("proved", 9, 0), (
        "one of ten has its letter"
    )


async def test_what_must_have_been_answered_is_missed_even_if_letters_were_removed() -> None:
    """Its failed answer would be there."""
    topics = history(50)
    for partition in range(3):
        topics.kept_from[LETTERS, partition] = len(topics.logs[LETTERS, partition])
    without(topics, 1, 30)
    findings = await audited(topics)
    assert listed(findings) == {"no outcome": [(1, 30)]}
    assert findings.states["unknown"] == 3 * 8, "the bad ones, of which the letters are gone"


async def test_outcomes_of_requests_that_retention_has_removed_are_told() -> None:
    topics = history(50)
    topics.kept_from[REQUESTS, 2] = 20
    findings = await audited(topics)
    assert (findings.verdict, findings.requests) == ("proved", 130)
    assert findings.outdated == {"answer": 18, "dead letter": 3}


@pytest.mark.parametrize("at_once", [ALL_AT_ONCE, 20])
async def test_retention_may_overtake_an_audit(at_once: int) -> None:
    topics = history(50)
    scope = await everything(topics)
    topics.kept_from |= {(REQUESTS, 0): 10, (ANSWERS, 1): 15, (LETTERS, 2): 2}
    findings = await audited(topics, scope=scope, at_once=at_once)
    assert (findings.verdict, findings.violations) == ("proved", Counter())
    assert (findings.requests, findings.removed_since) == (140, 10)
    assert 15 <= findings.states["unknown"] <= 20


async def test_a_result_topic_with_more_partitions_has_later_answers_elsewhere() -> None:
    topics = history(50)
    moved = topics.logs[ANSWERS, 2][:20]
    rest = topics.logs[ANSWERS, 2][len(moved) :]
    topics.logs[ANSWERS, 2] = []
    for each in moved:
        topics.write(each._replace(partition=0))
    for each in rest:
        topics.write(each)
    findings = await audited(topics)
    assert findings.violations == Counter()
    topics.write(answer(2, 3)._replace(partition=1))
    assert listed(await audited(topics))["answer in another partition"] == [(2, 3)]


async def test_a_batch_that_has_killed_a_worker_is_not_run_again() -> None:
    topics, pool = history(50), HandmadePool()
    without(topics, 1, 30)
    topics.write(letter(1, 30, "worker_crashed"))
    findings = await audited(topics, pool=pool)
    assert listed(findings) == {"dead letter out of order": [(1, 30)]}
    assert pool.batches == 149


async def test_of_each_kind_only_the_first_are_listed() -> None:
    topics = history(50)
    for offset in range(20, 40):
        without(topics, 1, offset)
    findings = await audited(topics, listed_max=3)
    assert listed(findings) == {"no outcome": [(1, 20), (1, 21), (1, 22)]}
    assert findings.violations == {"no outcome": 20}


class EndlessTopics(HandmadeTopics):
    """Topics of which no record is in memory before it is read."""

    def __init__(self, per_partition: int) -> None:
        super().__init__()
        self._per_partition = per_partition

    def _span(self, topic: str, partition: int) -> Span:
        end = 0 if topic == LETTERS else self._per_partition
        return Span(topic=topic, partition=partition, start=0, end=end, kept_from=0)

    async def read(self, spans: Iterable[Span], overtaken: Overtaken | None = None) -> AsyncIterator[list[Entry]]:
        make = {REQUESTS: self._request, ANSWERS: self._answer}
        for span in spans:
            for first in range(span.start, span.end, 500):
                run = range(first, min(first + 500, span.end))
                yield [make[span.topic](span.partition, offset) for offset in run]

    @staticmethod
    def _request(partition: int, offset: int) -> Entry:
        return Entry(REQUESTS, partition, offset, b"key", b'{"batchid": "a", "payload": [[1, 2]]}', (), 0)

    @staticmethod
    def _answer(partition: int, offset: int) -> Entry:
        value = b'{"batchid": "a", "response": [3], "status": "complete"}'
        return Entry(
            ANSWERS,
            partition,
            offset,
            b"key",
            value,
            [("source", b"%s/%d/%d" % (REQUESTS.encode(), partition, offset))],
            0,
        )


def audit_alone(records: int, at_once: int, told: Connection) -> None:
    """In a process of its own: audit so many, and tell the most memory that this ever took, in bytes."""
    findings = asyncio.run(audited(EndlessTopics(records // 3), at_once=at_once))
    assert findings.states == {"complete": records}
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    told.send(int(line.split()[1]) * 1024)


def peak_bytes(records: int, *, at_once: int) -> int:
    context = multiprocessing.get_context("spawn")
    told, tells = context.Pipe(duplex=False)
    process = context.Process(target=audit_alone, args=(records, at_once, tells))
    process.start()
    process.join()
    assert process.exitcode == 0
    peak: int = told.recv()
    return peak


@pytest.mark.timeout(300)  # a hundred thousand batches, on machines that have other work too
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process has ever had")
def test_memory_is_bounded_by_what_is_looked_at_at_once_and_not_by_the_number_of_records() -> None:
    few = peak_bytes(15_000, at_once=5_000)
    many = peak_bytes(105_000, at_once=5_000)
    unbounded = peak_bytes(105_000, at_once=105_000)
    ledger_bytes = 40 * 100_000
    assert many - few < ledger_bytes / 2
    assert unbounded - few > ledger_bytes * 3 / 4
