"""Open-loop load: requests at set times, whatever becomes of the answers, so that no stall of a system is hidden."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from typing import NamedTuple

from confluent_kafka import Producer

from benchmarks.broker import CLIENT, PARTITIONS, TIMEOUT_S
from benchmarks.profiles import PROFILES

TICK_S = 0.005
SPAN_TICKS = 10
LINGER_MS = 1.5  # until a whole burst is there: it is to be one batch. By default, Kafka's clients wait for 5


class Load(NamedTuple):
    """What to send: *batches* of a profile, *per_tick* of them every 5 ms, in a burst to one partition after the other.

    So does a producer of Kafka's own whose records have no keys, and it asks the least of the broker. Batches are
    numbered from *first* on.
    """

    profile: str
    batches: int
    per_tick: float
    first: int = 0

    @property
    def numbers(self) -> range:
        """The numbers of its batches, in the order in which they are due."""
        return range(self.first, self.first + self.batches)

    def tick(self, number: int) -> int:
        """The burst that batch *number* is part of."""
        return int((number - self.first) / self.per_tick)

    def due_s(self, number: int) -> float:
        """When batch *number* is to be sent, from the first one on."""
        return self.tick(number) * TICK_S


class Sent(NamedTuple):
    """The *load* was sent: the first batch at *since* (seconds since the epoch), none later than *late_max_s*.

    *costs_s* is the processor time that each burst took the sender. It does the same for each, so what
    differs is how quick the machine is at that moment.
    """

    load: Load
    since: float
    late_max_s: float
    costs_s: Sequence[float]

    def unsteadiness(self, *, after_s: float) -> float:
        """How many times as much the slowest tenth of all spans of 50 ms took as the quickest, from *after_s* seconds on."""
        spans = range(int(after_s / TICK_S), len(self.costs_s) - SPAN_TICKS + 1, SPAN_TICKS)
        costs_s = sorted(sum(self.costs_s[start : start + SPAN_TICKS]) for start in spans)
        tenth = len(costs_s) // 10
        return costs_s[-1 - tenth] / costs_s[tenth]


def send(bootstrap_servers: str, topic: str, load: Load) -> Sent:
    """Send *load* by a process of its own, and return when all is acknowledged."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_send, bootstrap_servers, topic, load).result()


def _send(bootstrap_servers: str, topic: str, load: Load) -> Sent:
    profile = PROFILES[load.profile]
    ready = [(profile.batchid(number), profile.request(number)) for number in load.numbers]
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "linger.ms": LINGER_MS,
            "acks": "1",
            "queue.buffering.max.messages": 0,  # no bound: what is due is due, even if the broker cannot take it yet
            **CLIENT,
        }
    )
    producer.list_topics(topic, timeout=TIMEOUT_S)  # connected, before the clock starts
    since, late_max_s = time.time() + 0.1, 0.0
    costs_s: list[float] = []
    for tick, burst in groupby(zip(load.numbers, ready, strict=True), key=lambda one: load.tick(one[0])):
        due = since + tick * TICK_S
        while (early := due - time.time()) > 0:
            producer.poll(0)
            time.sleep(early)
        began_s = time.thread_time()
        for _, (key, value) in burst:
            producer.produce(topic, value, key, partition=tick % PARTITIONS)
        costs_s.append(time.thread_time() - began_s)
        late_max_s = max(late_max_s, time.time() - due)
    if unsent := producer.flush(TIMEOUT_S):
        raise RuntimeError(f"{unsent} requests were not sent")
    return Sent(load, since, late_max_s, costs_s)
