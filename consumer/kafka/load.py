"""Load on an instance, as its callers would make it: from a process of its own, so that it takes no turn of the loop."""

import asyncio
import itertools
import signal
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.sharedctypes import Synchronized

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka.client import connection_options, describe, start_client, stop_client
from consumer.kafka.producer import Producer, packing
from consumer.wire.packing import Message, encode
from consumer.worker import die_with_parent

BURST_BYTES_MAX = 256 * 1024
BURST_BATCHES_MAX = 1_000
FULL_PAUSE_S = 0.002
TICK_S = 0.005
POLL_TIMEOUT_MS = 200
STRAGGLERS_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0

ENOUGH = -1

_answered: "Synchronized[int]"


def prepare(answered: "Synchronized[int]") -> None:
    """Get a process ready to make load: *answered* is how many requests have been by now, or `ENOUGH`."""
    global _answered  # noqa: PLW0603 - what processes share can be handed over at their start alone
    _answered = answered
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the process that waits for this one
    threading.Thread(target=die_with_parent, daemon=True).start()


def flood(settings: Settings, values: Sequence[bytes], *, waiting_max: int, seconds_max: float) -> None:
    """Send *values* over and over, so that at most *waiting_max* wait for their answers, until it is enough.

    Raises:
        CannotConnect: They cannot be sent.
    """
    asyncio.run(_flood(settings, values, waiting_max=waiting_max, seconds_max=seconds_max))


def pace(
    settings: Settings, values: Sequence[bytes], *, batches_per_s: float, warm_up_s: float, seconds: float
) -> list[float]:
    """Send *values* at a steady rate, and return the seconds until each answer, but for those to the warm-up.

    They are counted from when a request was due, whenever it was sent: a stall is not hidden by what waits behind it.

    Raises:
        CannotConnect: They cannot be sent, or their answers not be read.
    """
    return asyncio.run(_pace(settings, values, batches_per_s, warm_up_s, seconds))


async def _flood(settings: Settings, values: Sequence[bytes], *, waiting_max: int, seconds_max: float) -> None:
    burst = _burst(values)
    batches = encode(burst, packing(settings))
    deadline = time.monotonic() + seconds_max
    numbers = itertools.count(len(burst), len(burst))

    async def fill(producer: Producer, partition: int) -> None:
        sent = 0
        while (answered := _answered.value) != ENOUGH and time.monotonic() < deadline:
            if sent - answered > waiting_max:
                await asyncio.sleep(FULL_PAUSE_S)
            else:
                sent = next(numbers)
                await producer.append(settings.request_topic, partition, batches)

    async with _producer(settings) as producer:
        partitions = await producer.partitions_for(settings.request_topic)
        await asyncio.gather(*(fill(producer, partition) for partition in partitions))


async def _pace(
    settings: Settings, values: Sequence[bytes], batches_per_s: float, warm_up_s: float, seconds: float
) -> list[float]:
    batches, latencies_s = int(batches_per_s * (warm_up_s + seconds)), []
    async with _reader(settings) as reader, _producer(settings) as producer:
        await _meet(settings, reader, producer, values[0])
        since, answered = time.monotonic(), 0
        deadline = since + warm_up_s + seconds + STRAGGLERS_TIMEOUT_S
        sending = asyncio.create_task(
            _tick(settings, producer, values, batches=batches, batches_per_s=batches_per_s, since=since)
        )
        try:
            while answered < batches and time.monotonic() < deadline:
                fetched = await reader.getmany(timeout_ms=POLL_TIMEOUT_MS)
                now = time.monotonic()
                for records in fetched.values():
                    answered += len(records)
                    dues = [int.from_bytes(record.key) / 1e9 for record in records]
                    latencies_s += [now - due for due in dues if due >= since + warm_up_s]
                if sending.done():
                    sending.result()
        finally:
            sending.cancel()
            await asyncio.wait([sending])
    return latencies_s


async def _meet(settings: Settings, reader: AIOKafkaConsumer, producer: Producer, value: bytes) -> None:
    """Have one request of each partition answered, so that what is done once in a life is done before the clock runs."""
    partitions = await producer.partitions_for(settings.request_topic)
    packed = packing(settings)
    for partition in partitions:
        await producer.append(settings.request_topic, partition, encode([_stamped(value, due=0)], packed))
    waiting, deadline = len(partitions), time.monotonic() + STRAGGLERS_TIMEOUT_S
    while waiting > 0 and time.monotonic() < deadline:
        waiting -= sum(map(len, (await reader.getmany(timeout_ms=POLL_TIMEOUT_MS)).values()))


async def _tick(
    settings: Settings,
    producer: Producer,
    values: Sequence[bytes],
    *,
    batches: int,
    batches_per_s: float,
    since: float,
) -> None:
    """Every few milliseconds, send to one partition after the other what is due by then, whatever became of the last."""
    partitions = len(await producer.partitions_for(settings.request_topic))
    endless, packed, sent = itertools.cycle(values), packing(settings), 0
    async with asyncio.TaskGroup() as sending:
        for tick in itertools.count(1):
            await asyncio.sleep(since + tick * TICK_S - time.monotonic())
            due = min(batches, int(batches_per_s * tick * TICK_S))
            burst = [_stamped(next(endless), since + number / batches_per_s) for number in range(sent, due)]
            if burst:
                encoded = encode(burst, packed)
                sending.create_task(producer.append(settings.request_topic, tick % partitions, encoded))
            sent = due
            if sent == batches:
                return


def _stamped(value: bytes, due: float) -> Message:
    """A request that carries when it was due as its key, which its answer will have too."""
    return int(due * 1e9).to_bytes(8), value, [], None


def _burst(values: Sequence[bytes]) -> list[Message]:
    """As many of *values* as are sent together, again from the first where there are fewer."""
    size = max(1, len(values[0]))
    count = max(1, min(BURST_BATCHES_MAX, BURST_BYTES_MAX // size))
    return [(None, value, [], None) for value in itertools.islice(itertools.cycle(values), count)]


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[Producer]:
    producer = await start_client(lambda: Producer(settings), timeout_ms=settings.connect_timeout_ms)
    try:
        yield producer
    except* (KafkaError, TimeoutError) as errors:
        raise CannotConnect(f"requests cannot be sent: {describe(errors.exceptions[0])}") from errors
    finally:
        await stop_client(producer, timeout_s=STOP_TIMEOUT_S)


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader of the answers to come."""

    def make() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            settings.result_topic,
            **connection_options(settings),
            group_id=None,
            auto_offset_reset="latest",
            isolation_level="read_committed",
        )

    reader = await start_client(make, timeout_ms=settings.connect_timeout_ms)
    try:
        for partition in reader.assignment():
            await reader.position(partition)  # asks where to begin now, rather than at the first read
        yield reader
    finally:
        await stop_client(reader, timeout_s=STOP_TIMEOUT_S)
