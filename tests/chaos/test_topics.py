"""Faults 6, 8, 22, 23: topics that are missing, forbidden or full, that have forgotten records, or have gaps."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias, cast

import pytest
from confluent_kafka import Message, Producer

from config.units import MIB
from domain.batch import Code
from tests.chaos.load import bad, good, goods
from tests.chaos.scene import IN_FLIGHT_MAX, LANE_CHUNKS_MAX, Scene, both_deliveries
from tests.support.http import http_settings, sample
from tests.support.instances import Instance
from tests.support.kafka import read
from tests.support.records import request
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_broker("it judges guarantees")

Bar: TypeAlias = Callable[[Scene, str], None]

# What keeps a topic from being written, and what ends it.
BARS: dict[str, tuple[Bar, Bar]] = {
    "forbidden": (
        lambda stage, topic: stage.kafka.forbid_writing(topic),
        lambda stage, topic: stage.kafka.allow_writing(topic),
    ),
    "down": (
        lambda stage, topic: stage.kafka.take_down(topic, sparing=stage.topics.group_id),
        lambda stage, _: stage.kafka.start(),
    ),
}
SLOW_BYTES_PER_S = 15_000
POISON = bad(b"poison", Code.INVALID_JSON, replied=False)
MEMORY_BYTES_MAX = 250 * MIB
CLEANED_TIMEOUT_S = 30.0


@pytest.mark.slow
@both_deliveries
async def test_06_while_dead_letters_are_forbidden_the_offset_is_held(stage: Scene) -> None:
    await hold_the_offset(stage, "forbidden")


@pytest.mark.slow
@pytest.mark.timeout(240)
@both_deliveries
async def test_06_while_the_dead_letter_topic_is_down_the_offset_is_held(wide_stage: Scene) -> None:
    await hold_the_offset(wide_stage, "down")


async def hold_the_offset(stage: Scene, what: str) -> None:
    """The instance is not ready meanwhile, the other partitions go on, and so does this one as soon as it may."""
    close, reopen = BARS[what]
    instance = await healthy(await stage.started(**http_settings()))
    recovered = len(instance.events("healthy"))
    await asyncio.to_thread(close, stage, stage.topics.dead_letter_topic)
    await stage.produce([*goods(10), POISON, *goods(10)])
    await instance.logged("not healthy", times=recovered + 1)
    await stage.produce(goods(100), partition=1)
    await wait_until(lambda: stage.observer.committed.get(1) == 100)
    assert stage.observer.committed.get(0, 0) <= 10
    await wait_until(lambda: not instance.is_healthy)
    assert await sample(instance.url, "batchsum_ready") == 0
    assert len(instance.events("healthy")) == recovered
    assert (0, 10) in stage.ledger.without_outcome()

    await asyncio.to_thread(reopen, stage, stage.topics.dead_letter_topic)
    await stage.settled()
    await wait_until(lambda: instance.is_healthy)
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_06_a_dead_letter_topic_that_is_missing_is_waited_for(stage: Scene) -> None:
    topic = stage.topics.dead_letter_topic
    stage.observer.absent.add(topic)
    await asyncio.to_thread(stage.kafka.delete_topic, topic)
    instance = await healthy(await stage.started())
    recovered = len(instance.events("healthy"))
    await stage.produce([*goods(10), POISON, *goods(10)])
    await instance.logged("not healthy", times=recovered + 1)
    assert stage.observer.committed.get(0, 0) <= 10

    await asyncio.to_thread(stage.kafka.create_topic, topic)
    stage.observer.absent.clear()
    await stage.settled()
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_08_while_results_are_forbidden_memory_is_flat_and_nothing_is_committed(stage: Scene) -> None:
    await keep_back(stage, "forbidden")


@pytest.mark.slow
@pytest.mark.timeout(240)
@both_deliveries
async def test_08_while_the_result_topic_is_down_memory_is_flat_and_nothing_is_committed(wide_stage: Scene) -> None:
    await keep_back(wide_stage, "down")


async def keep_back(stage: Scene, what: str) -> None:
    """Forty times as much as may be in flight is waiting, and stays where it is."""
    close, reopen = BARS[what]
    instance = await healthy(await stage.started())
    recovered = len(instance.events("healthy"))
    await asyncio.to_thread(close, stage, stage.topics.result_topic)
    await stage.produce_everywhere(lambda: (good(str(n), [[n] * 30_000]) for n in range(100)))
    await instance.logged("not healthy", times=recovered + 1)
    instance.memory_bytes_max = 0
    for _ in range(60):
        instance.look()
        await asyncio.sleep(0.1)
    assert len(instance.events("healthy")) == recovered
    assert instance.memory_bytes_max < MEMORY_BYTES_MAX
    assert set(stage.observer.committed.values()) <= {0}

    await asyncio.to_thread(reopen, stage, stage.topics.result_topic)
    await stage.settled(timeout_s=60)
    instance.look()
    assert instance.memory_bytes_max < MEMORY_BYTES_MAX
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=IN_FLIGHT_MAX) == []


@pytest.mark.slow
@both_deliveries
async def test_08_while_results_are_written_slowly_no_more_is_fetched_than_may_be_in_flight(stage: Scene) -> None:
    """They are made much faster than the broker gets them; nothing fails, and all of them arrive."""
    instance = await stage.started(**http_settings())
    (proxy,) = stage.kafka.proxies
    proxy.upward_bytes_per_s = SLOW_BYTES_PER_S
    await stage.produce_everywhere(lambda: (good(f"{n} {'x' * 200}", [[n] * 30_000]) for n in range(100)))
    while stage.ledger.outcomes < stage.ledger.requests:
        assert await sample(instance.url, "batchsum_in_flight_chunks") <= stage.partitions * LANE_CHUNKS_MAX
        instance.look()
        await asyncio.sleep(0.1)
    await proxy.heal()
    await stage.settled()
    assert instance.memory_bytes_max < MEMORY_BYTES_MAX
    assert instance.events("cannot publish, trying again") == []
    assert await instance.stopped() == 0
    assert stage.judge(duplicates_max=0) == []


@both_deliveries
@pytest.mark.parametrize("policy", ["earliest", "stop"])
async def test_22_a_committed_offset_that_retention_has_overtaken_is_no_secret(stage: Scene, policy: str) -> None:
    first = await stage.started()
    await stage.produce(goods(10))
    await stage.settled()
    assert await first.stopped() == 0
    await stage.produce(goods(30, "forgotten"))
    await stage.produce(goods(10, "kept"))
    await asyncio.to_thread(stage.kafka.forget, stage.topics.request_topic, before=40)

    second = await stage.started(lost_offsets=policy, **http_settings())
    lost = await second.logged("offset lost")
    assert (lost["level"], lost["offset"], lost["earliest"]) == ("error", 10, 40)
    if policy == "stop":
        assert await second.ended() == 7
        await stage.observer.look()
        assert stage.observer.committed[0] == 10
    else:
        await wait_until(lambda: stage.observer.committed[0] == 50)
        assert await sample(second.url, "batchsum_offsets_lost_total") == 1
        assert await second.stopped() == 0
        assert stage.ledger.without_outcome() == [(0, offset) for offset in range(10, 40)]


@both_deliveries
async def test_23_gaps_left_by_transactions_stall_nothing_and_lag_reads_zero(stage: Scene) -> None:
    """What was aborted was never asked; control records take offsets, also at the very end."""
    await asyncio.to_thread(_produce_transactions, stage)
    instance = await stage.started()
    await wait_until(lambda: last_summary(instance) == (10, 0))
    if stage.delivery == "at_least_once":  # else offsets are committed with results, and behind a gap there are none
        await wait_until(lambda: stage.observer.committed.get(0) == 24, what="the gap at the end is committed, too")
    results = await read(stage.kafka, stage.topics.result_topic)
    assert [source_offset(result) for result in results] == [*range(5), *range(12, 17)]
    assert await instance.stopped() == 0


def _produce_transactions(stage: Scene) -> None:
    """Offsets: 0-4 committed, 5 control, 6-10 aborted, 11 control, 12-16 committed, 17 control, 18-22 aborted, 23 control."""
    producer = Producer(
        {"bootstrap.servers": stage.kafka.bootstrap_servers, "transactional.id": stage.topics.group_id, "log_level": 0}
    )
    producer.init_transactions(20)
    for committed in (True, False, True, False):
        producer.begin_transaction()
        for number in range(5):
            producer.produce(stage.topics.request_topic, request(f"{committed} {number}"), partition=0)
        assert not producer.flush(20)
        end = producer.commit_transaction if committed else producer.abort_transaction
        end(20)


@pytest.mark.slow
@both_deliveries
async def test_23_gaps_left_by_compaction_stall_nothing_and_lag_reads_zero(stage: Scene) -> None:
    """Of a hundred requests with the same key, some are left."""
    eager = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01"}
    topic = stage.topics.request_topic
    await asyncio.to_thread(stage.kafka.configure, topic, eager)
    for _ in range(3):  # each more than a segment, and the last one is not compacted
        await stage.produce(good(f"{n}", [[n] * 10_000], key=b"same") for n in range(60))
    await stage.produce([good("last", key=b"last")])
    left = await compacted(stage)
    instance = await stage.started()
    await wait_until(lambda: last_summary(instance) == (len(left), 0))
    results = await read(stage.kafka, stage.topics.result_topic)
    assert [source_offset(result) for result in results] == left
    assert await instance.stopped() == 0


async def compacted(stage: Scene) -> list[int]:
    """The offsets of the requests that the cleaner has left, once it has been at work."""
    async with asyncio.timeout(CLEANED_TIMEOUT_S):
        while len(left := await read(stage.kafka, stage.topics.request_topic)) == stage.ledger.requests:
            await asyncio.sleep(0.5)
    return [record.offset() or 0 for record in left]


async def healthy(instance: Instance) -> Instance:
    """Itself, once it says that all is well; each trouble and each recovery that it logs comes after that."""
    await wait_until(lambda: instance.is_healthy)
    return instance


def last_summary(instance: Instance) -> tuple[object, object]:
    """Batches in all, and the lag, as the instance has last told."""
    summary = ([{}, *instance.events("summary")])[-1]
    return summary.get("batches_total"), summary.get("lag")


def source_offset(result: Message) -> int:
    headers = cast("dict[str, bytes]", dict(result.headers() or ()))
    return int(headers["source"].rsplit(b"/", 1)[1])
