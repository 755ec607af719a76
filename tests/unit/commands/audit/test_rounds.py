"""An audit in rounds finds what one in one round finds, and its memory is bounded by what it looks at at once."""

import asyncio
import multiprocessing
import random
import sys
from collections.abc import AsyncIterator, Iterable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from consumer.kafka.history import Overtaken, Span
from consumer.ledger.entry import Entry
from tests.support.handmade import (
    ANSWERS,
    LETTERS,
    REQUESTS,
    HandmadeTopics,
    answer,
    audited,
    history,
)


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
