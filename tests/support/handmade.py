"""Histories made by hand: requests, what the service would have made of them, topics that no broker has, and their audit."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence

from config.settings import Settings
from consumer.board import NOWHERE, Place
from consumer.commands.audit.auditor import Auditor
from consumer.commands.audit.findings import Findings
from consumer.commands.audit.scope import Scope
from consumer.kafka.history import History, Overtaken, Span
from consumer.ledger.entry import Delivery, Entry
from consumer.pool import Pool
from domain.batch import Limits, Outcomes
from domain.summation import process_chunk

SETTINGS = Settings()
REQUESTS, ANSWERS, LETTERS = SETTINGS.request_topic, SETTINGS.result_topic, SETTINGS.dead_letter_topic
ALL_AT_ONCE = 1_000_000


class HandmadeTopics(History):
    """Topics with three partitions each; `read` remembers how many records it gave."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.logs: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        self.kept_from: dict[tuple[str, int], int] = {}
        self.given = 0
        for entry in entries:
            self.write(entry)

    def write(self, entry: Entry) -> None:
        """Append *entry*, at whatever offset its partition has come to."""
        log = self.logs[entry.topic, entry.partition]
        log.append(entry._replace(offset=len(log)))

    async def spans(self, topic: str) -> list[Span]:
        return [self._span(topic, partition) for partition in range(3)]

    def _span(self, topic: str, partition: int) -> Span:
        kept_from = self.kept_from.get((topic, partition), 0)
        end = len(self.logs[topic, partition])
        return Span(topic=topic, partition=partition, start=kept_from, end=end, kept_from=kept_from)

    async def read(self, spans: Iterable[Span], overtaken: Overtaken | None = None) -> AsyncIterator[list[Entry]]:
        for span in spans:
            kept_from = self.kept_from.get((span.topic, span.partition), 0)
            if span.start < kept_from and len(span):
                assert overtaken is not None
                overtaken(
                    Span(
                        topic=span.topic,
                        partition=span.partition,
                        start=span.start,
                        end=kept_from,
                        kept_from=kept_from,
                    )
                )
            for run in self._runs(span.within(start=kept_from)):
                self.given += len(run)
                yield run

    def _runs(self, span: Span) -> Iterable[list[Entry]]:
        log = self.logs[span.topic, span.partition]
        return (log[first : min(first + 10, span.end)] for first in range(span.start, span.end, 10))


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
