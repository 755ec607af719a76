"""What it takes to fetch requests: librdkafka, which is written in C, reads them, and nothing is done with them."""

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from confluent_kafka import Consumer, TopicPartition

from benchmarks.broker import CLIENT, PARTITIONS, TIMEOUT_S, Stage
from benchmarks.drain import WARM_UP_SHARE
from benchmarks.profiles import Profile

CONSUMED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """Requests read by one process. The first quarter of them does not count.

    It makes an object for each record: of small ones that is most of it.
    """

    batches_per_s: float
    cpu_s_per_million: float


class TooFew(RuntimeError):
    """Not all requests that were asked for could be read."""


def fetched(stage: Stage, profile: Profile, batches: int) -> Fetched:
    """Have a process of its own read *batches* requests, which are in their topic by then.

    Raises:
        TooFew: Some did not come.
    """
    topic = stage.backlog(profile, batches)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_fetch, stage.bootstrap_servers, topic, batches).result()


def _fetch(bootstrap_servers: str, topic: str, batches: int) -> Fetched:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "fetching",
            "enable.auto.commit": False,
            "check.crcs": True,  # as the service does, and aiokafka and Kafka's own consumer by default
            "queued.max.messages.kbytes": 64 * 1024,
            "fetch.queue.backoff.ms": 5,  # as the judge has it: otherwise it pauses for a second whenever its queue is full
            **CLIENT,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        warm = _read(consumer, int(batches * WARM_UP_SHARE))
        since, cpu_s = time.perf_counter(), time.process_time()
        read = _read(consumer, batches - warm)
        return Fetched(read / (time.perf_counter() - since), (time.process_time() - cpu_s) / read * 1e6)
    finally:
        consumer.close()


def _read(consumer: Consumer, wanted: int) -> int:
    """How many have been read: as many as are *wanted*, or a few more."""
    read = 0
    deadline = time.monotonic() + TIMEOUT_S
    while read < wanted:
        if time.monotonic() > deadline:
            raise TooFew(f"{read} of {wanted} requests in {TIMEOUT_S:.0f} s")
        read += sum(message.error() is None for message in consumer.consume(CONSUMED_MAX, timeout=0.2))
    return read
