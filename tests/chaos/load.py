"""Batches of every kind, each with what is to become of it, and their way into the request topic."""

import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import KafkaError, Message, Producer

from consumer.ledger.entry import COMPLETE, Entry, Expectation
from consumer.ledger.ledger import Ledger
from consumer.ledger.reading import digest
from domain.batch import Code
from tests.support.waiting import wait_until

ACKNOWLEDGED_TIMEOUT_S = 60.0
POLL_S = 0.05

# What each kind of order to `tests.support.faulty_work` leads to.
CONVICTIONS: dict[str, list[str]] = {
    "exit": [Code.WORKER_CRASHED],
    "signal": [Code.WORKER_CRASHED],
    "raise": [Code.WORKER_CRASHED],
    "leave": [Code.WORKER_CRASHED],
    "memory": [Code.OUT_OF_MEMORY, Code.WORKER_CRASHED],
    "hang": [Code.TIMED_OUT],
    "sleep": [COMPLETE],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A request that is to be made, and its expectation."""

    value: bytes | None
    expectation: Expectation
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def good(batchid: str, payload: Sequence[Sequence[int]] = ((1, 2), (3, 4)), *, key: bytes | None = None) -> Batch:
    """A batch that is to be summed."""
    expectation = Expectation(batchid=batchid, sums=[sum(integers) for integers in payload])
    return Batch(value=json.dumps({"batchid": batchid, "payload": payload}).encode(), expectation=expectation, key=key)


def goods(count: int, name: str = "good") -> Iterator[Batch]:
    """So many small batches."""
    return (good(f"{name} {number}", [[number, number + 1], [-number]]) for number in range(count))


def bad(value: bytes | None, code: Code, *, replied: bool) -> Batch:
    """A batch that is to be rejected; *replied*, if its batchid can be read."""
    return Batch(value=value, expectation=Expectation(verdicts=[code], replied=replied))


def order(batchid: str) -> Batch:
    """A batch on which the worker of a faulty instance misbehaves: `exit:3`, `signal:11`, `hang`, `sleep:0.5`, …"""
    verdicts = CONVICTIONS[batchid.partition(":")[0].partition(" ")[0]]
    expectation = Expectation(batchid=batchid, sums=[3, 7], verdicts=verdicts)
    return Batch(value=good(batchid).value, expectation=expectation)


def mixed(numbers: random.Random, *, poison: bool = True) -> Iterator[Batch]:
    """Batches without end, as they come in life: most of them small, some large, some bad."""
    number = 0
    while True:
        number += 1
        drawn = numbers.random()
        if poison and drawn < 0.01:
            yield bad(b'{"batchid": "cut ' + str(number).encode(), Code.INVALID_JSON, replied=False)
        elif poison and drawn < 0.02:
            value = json.dumps({"batchid": f"float {number}", "payload": [[number + 0.5]]}).encode()
            yield bad(value, Code.INVALID_REQUEST, replied=True)
        elif drawn < 0.025:
            yield _drawn(numbers, f"large {number}", lists=4, integers=5_000)
        elif drawn < 0.1:
            yield _drawn(numbers, f"medium {number}", lists=20, integers=20)
        else:
            yield _drawn(numbers, f"small {number}", lists=2, integers=3)


def _drawn(numbers: random.Random, batchid: str, *, lists: int, integers: int) -> Batch:
    payload = [[numbers.randint(-(10**12), 10**12) for _ in range(integers)] for _ in range(lists)]
    return good(batchid, payload, key=b"key" if numbers.random() < 0.5 else None)


class Load:
    """Produces batches, and has the ledger know where each of them stands."""

    def __init__(self, bootstrap_servers: str, topic: str, ledger: Ledger) -> None:
        self._topic = topic
        self._ledger = ledger
        self._refused: list[KafkaError] = []
        self._unacknowledged = 0
        self._expectations: dict[int, Expectation] = {}  # by what a reader sees of a request
        options: dict[str, Any] = {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "linger.ms": 5,
            "log_level": 0,
            "topic.metadata.refresh.interval.ms": 1000,
        }
        self._producer = Producer(options)

    async def produce(self, batches: Iterable[Batch], *, partition: int = 0) -> None:
        """Write *batches* to one partition, in order, and return when they are there.

        Raises:
            AssertionError: The brokers have refused one.
            TimeoutError: They have not taken it in time.
        """
        for batch in batches:
            await self._send(batch, partition)
        await wait_until(self._all_acknowledged, timeout_s=ACKNOWLEDGED_TIMEOUT_S, what="requests are acknowledged")
        assert not self._refused, self._refused

    async def run(self, batches: Iterator[Batch], *, partitions: int, batches_per_s: float) -> None:
        """Produce at a steady pace, partition after partition, until cancelled."""
        debt, partition = 0.0, 0
        while True:
            await asyncio.sleep(POLL_S)
            debt += batches_per_s * POLL_S
            while debt >= 1:
                debt -= 1
                await self._send(next(batches), partition)
                partition = (partition + 1) % partitions
            self._producer.poll(0)

    def _all_acknowledged(self) -> bool:
        self._producer.poll(0)
        return not self._unacknowledged

    def found(self, partition: int, message: Message) -> None:
        """A request as it stands in the topic, for the ledger to know if it does not.

        A broker that has had a request before, but could not say so, does not say either where it stands; and a producer
        that has lost sight of a request, its broker killed, may write it a second time.
        """
        if not self._ledger.knows(partition, offset := message.offset() or 0):
            _, timestamp = message.timestamp()
            key, value = message.key(), message.value()
            headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
            entry = Entry(self._topic, partition, offset, key, value, headers, int(timestamp))
            self._ledger.request(entry, self._expectations[digest(key, value, headers)])

    async def _send(self, batch: Batch, partition: int) -> None:
        def note(error: KafkaError | None, message: Message) -> None:
            self._unacknowledged -= 1
            if error is not None:
                self._refused.append(error)
            elif (offset := message.offset()) is not None:
                _, timestamp = message.timestamp()
                entry = Entry(self._topic, partition, offset, batch.key, batch.value, batch.headers, int(timestamp))
                self._ledger.request(entry, batch.expectation)

        headers: list[tuple[str, str | bytes | None]] = [*batch.headers]
        self._expectations[digest(batch.key, batch.value, headers)] = batch.expectation
        while True:
            try:
                self._producer.produce(self._topic, batch.value, batch.key, partition, note, headers=headers)
            except BufferError:
                self._producer.poll(0)
                await asyncio.sleep(POLL_S)
            else:
                self._unacknowledged += 1
                return
