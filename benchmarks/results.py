"""The judge: reads a result topic, checks every answer, and says when they came."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, TopicPartition
from pydantic_core import from_json

from benchmarks.broker import CLIENT, PARTITIONS, TIMEOUT_S, Stage
from benchmarks.profiles import Profile, number_of

CONSUMED_MAX = 10_000
CONSUME_S = 0.2  # so long it collects them, if there are not so many


class WrongResult(RuntimeError):
    """A system has answered wrongly, or not at all: its figures are worth nothing."""


class Arrivals(NamedTuple):
    """When answers came, in milliseconds since the epoch by the broker's clock: moments, and answers at each."""

    moments_ms: Sequence[int]
    answers: Sequence[int]

    @property
    def first_s(self) -> float:
        return self.moments_ms[0] / 1_000

    @property
    def last_s(self) -> float:
        return self.moments_ms[-1] / 1_000

    def window(self, *, skipped: float) -> tuple[float, int]:
        """Since when the share *skipped* of the answers is there (seconds since the epoch), and how many came after."""
        missing = sum(self.answers)
        skipping = skipped * missing
        for moment_ms, count in zip(self.moments_ms, self.answers, strict=True):
            skipping -= count
            missing -= count
            if skipping <= 0 < missing:
                return moment_ms / 1_000, missing
        raise WrongResult("all answers came at once: there is nothing to measure")


@dataclass(frozen=True, slots=True)
class Judgement:
    """All answers are right; *missing* batches have none yet, and *duplicates* counts those beyond the first to a batch.

    *markers* counts the offsets without an answer: a transaction leaves one behind in each partition that it wrote to.
    """

    arrivals: Arrivals
    missing: int
    duplicates: int
    markers: int
    answered_ms: Sequence[int]
    """For each batch, by its number, when its first answer came."""


def judge(stage: Stage, topic: str, profile: Profile, batches: int, *, echoed: bool = False) -> Judgement:
    """Check all answers of *topic* to the first *batches* batches of *profile*; *echoed* ones are the requests.

    Raises:
        WrongResult: Some are wrong.
    """
    moments: Counter[int] = Counter()
    answered_ms = [0] * batches
    duplicates = 0
    answers = _Answers(stage, topic)
    for timestamp_ms, value in answers:
        number = _check(value, profile, echoed=echoed)
        moments[timestamp_ms] += 1
        duplicates += answered_ms[number] != 0
        answered_ms[number] = min(answered_ms[number] or timestamp_ms, timestamp_ms)
    in_order = sorted(moments)
    arrivals = Arrivals(in_order, [moments[moment] for moment in in_order])
    markers = answers.end - sum(arrivals.answers)
    return Judgement(arrivals, answered_ms.count(0), duplicates, markers, answered_ms)


def _check(value: bytes, profile: Profile, *, echoed: bool) -> int:
    answer = from_json(value)
    number = number_of(answer["batchid"])
    if echoed:
        right = value == profile.request(number)
    else:
        right = answer["status"] == "complete" and answer["response"] == profile.sums(number)
    if not right:
        raise WrongResult(f"the answer to {answer['batchid']} is wrong: {value[:200]!r}")
    return number


class _Answers:
    """All records of *topic* that are committed: arrival and value. When all are read, `end` counts their offsets."""

    def __init__(self, stage: Stage, topic: str) -> None:
        self._bootstrap_servers = stage.bootstrap_servers
        self._topic = topic
        self.end = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap_servers,
                "group.id": "judge",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "queued.max.messages.kbytes": 64 * 1024,
                "fetch.queue.backoff.ms": 5,  # a second, if nothing is said, whenever there is enough for the moment
                **CLIENT,
            }
        )
        try:
            consumer.assign([TopicPartition(self._topic, partition, 0) for partition in range(PARTITIONS)])
            unread = set(range(PARTITIONS))
            deadline = time.monotonic() + TIMEOUT_S
            while unread:
                messages = consumer.consume(CONSUMED_MAX, timeout=CONSUME_S)
                if messages:
                    deadline = time.monotonic() + TIMEOUT_S
                elif time.monotonic() > deadline:
                    raise WrongResult(f"the answers in partitions {sorted(unread)} could not be read")
                for message in messages:
                    if (error := message.error()) is None:
                        yield message.timestamp()[1], message.value() or b""
                    elif error.code() == KafkaError._PARTITION_EOF:
                        unread.discard(message.partition())
                        self.end += message.offset() or 0
        finally:
            consumer.close()
