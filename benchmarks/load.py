"""Open-loop load: requests at set times, whatever becomes of the answers, so that no stall of a system is hidden."""

import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from itertools import groupby
from multiprocessing import get_context
from typing import NamedTuple

from aiokafka.protocol.produce import ProduceRequest, ProduceResponse_v7

from benchmarks.broker import PARTITIONS, TIMEOUT_S
from benchmarks.profiles import PROFILES
from consumer.wire.layout import header
from consumer.wire.packing import Packing, batches, block

TICK_S = 0.005
SPAN_TICKS = 10
HEAD_START_S = 0.1
PACKING = Packing(batch_bytes_max=900 * 1024, compression="none")
VERSIONS = {ProduceRequest.API_KEY: (7, 7)}
LENGTH = struct.Struct(">i")
CORRELATION_BYTES = 4


class Load(NamedTuple):
    """What to send: *batches* of a profile, *per_tick* of them every 5 ms, in a burst to one partition after the other.

    So does a producer of Kafka's own whose records have no keys, and it asks the least of the broker: by default, it waits
    5 ms for more. Batches are numbered from *first* on.
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

    *costs_s* is the processor time that each burst took the sender.
    """

    load: Load
    since: float
    late_max_s: float
    costs_s: Sequence[float]


def unsteadiness(costs_s: Sequence[float]) -> float:
    """How many times as long the same work took in the slowest tenth of all spans of 50 ms as in the quickest.

    The work is to send a burst, which is the same each time; so what differs is how quick the machine is at that moment.
    """
    starts = range(0, len(costs_s) - SPAN_TICKS + 1, SPAN_TICKS)
    spans_s = sorted(sum(costs_s[start : start + SPAN_TICKS]) for start in starts)
    tenth = len(spans_s) // 10
    return spans_s[-1 - tenth] / spans_s[tenth]


@contextmanager
def sender(bootstrap_servers: str, topic: str) -> Iterator[Callable[[Load], Sent]]:
    """What is yielded sends a load by a process of its own, and returns when all is acknowledged."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        yield lambda load: process.submit(_send, bootstrap_servers, topic, load).result()


def _send(bootstrap_servers: str, topic: str, load: Load) -> Sent:
    """All requests are made before the clock starts: who sends takes the cores of those that are measured."""
    bursts = {tick: [*_requests(topic, load, tick, numbers)] for tick, numbers in groupby(load.numbers, key=load.tick)}
    host, _, port = bootstrap_servers.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection, ThreadPoolExecutor(1) as beside:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        acknowledged = beside.submit(_take_acknowledgements, connection, sum(map(len, bursts.values())))
        since, late_max_s = time.time() + HEAD_START_S, 0.0
        costs_s: list[float] = []
        for tick, burst in bursts.items():
            due = since + tick * TICK_S
            while (early := due - time.time()) > 0:
                time.sleep(early)
            began_s = time.thread_time()
            for request in burst:
                connection.sendall(request)
            costs_s.append(time.thread_time() - began_s)
            late_max_s = max(late_max_s, time.time() - due)
        acknowledged.result()
    return Sent(load, since, late_max_s, costs_s)


def _requests(topic: str, load: Load, tick: int, numbers: Iterator[int]) -> Iterator[bytes]:
    """A burst as it goes over the wire: one request, unless a request may not have so much."""
    profile = PROFILES[load.profile]
    keys, values = zip(
        *((profile.batchid(number).encode(), profile.request(number)) for number in numbers), strict=True
    )
    for batch in batches(keys, values, [block([])] * len(values), PACKING):
        records = [(tick % PARTITIONS, header(batch) + batch.data)]
        asked = ProduceRequest(
            transactional_id=None, required_acks=1, timeout=int(TIMEOUT_S * 1_000), topics=[(topic, records)]
        ).prepare(VERSIONS)
        request = asked.build_request_header(correlation_id=tick, client_id="load").encode() + asked.encode()
        yield LENGTH.pack(len(request)) + request


def _take_acknowledgements(connection: socket.socket, count: int) -> None:
    with connection.makefile("rb") as answers:
        for _ in range(count):
            (size,) = LENGTH.unpack(answers.read(LENGTH.size))
            answer = ProduceResponse_v7.decode(BytesIO(answers.read(size)[CORRELATION_BYTES:]))
            codes = {code for _, partitions in answer.topics for _, code, *_ in partitions}
            if codes != {0}:
                raise RuntimeError(f"requests are refused: {codes}")
