"""The second measure: how long an answer takes, under half of the load that a system can bear, and alone."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.broker import CLIENT, PARTITIONS, TIMEOUT_S, Stage
from benchmarks.drain import judge_all, wait_for_answers
from benchmarks.load import TICK_S, Load, Sent, sender, unsteadiness
from benchmarks.profiles import Profile
from benchmarks.results import WrongResult
from benchmarks.systems import System

WARM_UP_SHARE = 0.15  # of a spell
ANSWERS_TIMEOUT_S = 70.0  # from when all requests are sent
START_TIMEOUT_S = 60.0
LONE_PAUSE_S = (0.02, 0.06)
LONE_WARM_UP = 20
LONE_SECONDS_MAX = 15.0


@dataclass(frozen=True, slots=True)
class Latency:
    """From when a request was due, or sent, to its answer.

    Of a load: its rate, how late it ever was itself, and how many times as long the same work took in the machine's slowest
    moments as in its quickest. Lone batches have no rate, are never late, and say nothing of the machine: 0.
    """

    samples: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    batches_per_s: float
    late_max_ms: float
    unsteadiness: float


class Spells(NamedTuple):
    """How a load comes: so many *times* for so many *seconds*, at *share* of the rate that the system can bear.

    What it can bear is how many batches a second it answers while *saturating_per_s* are sent, as many as it drains
    undisturbed: sending takes the same cores, so it is less than that. The speed of a machine drifts, so half of what
    could be borne a minute ago may be all that can be borne now: before each spell the system is saturated again, for
    *saturating_seconds*, and the rate follows from all that it has borne so far.
    """

    saturating_per_s: float
    saturating_seconds: float
    share: float
    times: int
    seconds: float

    def sent(self, profile: str, answered: Callable[[Load], Sent]) -> Iterator[Sent]:
        """Each spell, when it is over. *answered* sends a load, and returns when it has all its answers."""
        borne, spent_s, first = 0, 0.0, 0
        saturating = int(self.saturating_per_s * self.saturating_seconds)
        for _ in range(self.times):
            burst = answered(Load(profile, saturating, self.saturating_per_s * TICK_S, first))
            spent_s += time.time() - burst.since
            borne += saturating
            per_s = self.share * borne / spent_s
            spell = answered(Load(profile, int(per_s * self.seconds), per_s * TICK_S, burst.load.numbers.stop))
            first = spell.load.numbers.stop
            yield spell


def under_load(stage: Stage, system: System, profile: Profile, spells: Spells) -> Sequence[Latency]:
    """Of each spell, how long answers take; one has come when the broker has appended it.

    Raises:
        TooSlow: Not all answers came.
        Ended: The system crashed.
        WrongResult: It left batches out, or summed wrongly.
    """
    requests, results = stage.fresh_topic("load"), stage.fresh_topic("results")
    try:
        with (
            system.running(stage, requests=requests, results=results) as processes,
            sender(stage.bootstrap_servers, requests) as send,
        ):
            _wait_until_ready(stage, requests, results, profile)

            def answered(load: Load) -> Sent:
                sent = send(load)
                answers = 1 + load.numbers.stop  # the one that showed it to be ready, and all since
                wait_for_answers(stage, processes, results, answers, timeout_s=ANSWERS_TIMEOUT_S)
                return sent

            sent = [*spells.sent(profile.name, answered)]
            answered_ms = judge_all(stage, processes, results, profile, sent[-1].load.numbers.stop).answered_ms
    finally:
        stage.delete(requests)
        stage.delete(results)
    return [_of_spell(spell, answered_ms) for spell in sent]


def _of_spell(sent: Sent, answered_ms: Sequence[int]) -> Latency:
    load = sent.load
    counted = load.numbers[int(WARM_UP_SHARE * load.batches) :]
    return _latency(
        [answered_ms[number] - (sent.since + load.due_s(number)) * 1_000 for number in counted],
        batches_per_s=load.per_tick / TICK_S,
        late_max_ms=sent.late_max_s * 1_000,
        unsteadiness=unsteadiness(sent.costs_s[int(WARM_UP_SHARE * len(sent.costs_s)) :]),
    )


def alone(stage: Stage, system: System, profile: Profile, *, samples: int) -> Latency:
    """Send one request at a time to an idle system, and wait until its answer is in a reader's hands.

    It ends early after a quarter of a minute, with fewer samples: there are systems that let a lone record wait for seconds.
    """
    requests, results = stage.fresh_topic("lone"), stage.fresh_topic("results")
    try:
        with system.running(stage, requests=requests, results=results):
            _wait_until_ready(stage, requests, results, profile)
            return _one_by_one(stage, requests, results, profile, samples)
    finally:
        stage.delete(requests)
        stage.delete(results)


def nothing_between(stage: Stage, profile: Profile, *, samples: int) -> Latency:
    """The same as `alone` with nobody between: a request is produced, and read from where it was put."""
    topic = stage.fresh_topic("lone")
    try:
        return _one_by_one(stage, topic, topic, profile, samples)
    finally:
        stage.delete(topic)


def _wait_until_ready(stage: Stage, requests: str, results: str, profile: Profile) -> None:
    """Return when batch 0 has its answer: from then on the system is in its group, and idle."""
    producer = Producer({"bootstrap.servers": stage.bootstrap_servers, **CLIENT})
    producer.produce(requests, profile.request(0), profile.batchid(0), partition=0)
    producer.flush(TIMEOUT_S)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not stage.records(results):
        if time.monotonic() > deadline:
            raise WrongResult("the first batch was not answered")
        time.sleep(0.1)


def _one_by_one(stage: Stage, requests: str, results: str, profile: Profile, samples: int) -> Latency:
    producer = Producer({"bootstrap.servers": stage.bootstrap_servers, "linger.ms": 0, "acks": "all", **CLIENT})
    consumer = Consumer(
        {"bootstrap.servers": stage.bootstrap_servers, "group.id": "lone", "enable.auto.commit": False, **CLIENT}
    )
    chance = random.Random(samples)
    latencies_ms = []
    try:
        consumer.assign([TopicPartition(results, place, end) for place, end in enumerate(stage.ends(results))])
        until = time.monotonic() + LONE_SECONDS_MAX
        for number in range(1, LONE_WARM_UP + samples + 1):
            if time.monotonic() > until:
                break
            time.sleep(chance.uniform(*LONE_PAUSE_S))
            sent_at = time.perf_counter()
            producer.produce(requests, profile.request(number), profile.batchid(number), partition=number % PARTITIONS)
            producer.poll(0)
            message = consumer.poll(TIMEOUT_S)
            latencies_ms.append((time.perf_counter() - sent_at) * 1_000)
            if message is None or message.error() or profile.batchid(number).encode() not in (message.value() or b""):
                raise WrongResult(f"no answer to {profile.batchid(number)}")
    finally:
        consumer.close()
    return _latency(latencies_ms[min(LONE_WARM_UP, len(latencies_ms) // 2) :])


def _latency(
    latencies_ms: Sequence[float], *, batches_per_s: float = 0, late_max_ms: float = 0, unsteadiness: float = 0
) -> Latency:
    ordered = sorted(latencies_ms)

    def quantile(share: float) -> float:
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    p50_ms, p99_ms, p999_ms = quantile(0.5), quantile(0.99), quantile(0.999)
    return Latency(len(ordered), p50_ms, p99_ms, p999_ms, ordered[-1], batches_per_s, late_max_ms, unsteadiness)
