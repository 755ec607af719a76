"""The traps of aiokafka, set on a real broker: the service walks past each of them."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from itertools import chain
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3

from consumer.failures import Stalled
from consumer.kafka.arrivals import Arrivals
from consumer.kafka.publisher import Publisher
from consumer.kafka.sessions import Session
from consumer.service import Service
from tests.support.brokers import Broker, Topics, fresh_topics
from tests.support.kafka import commit, committed, nothing_left_behind, open_sockets, produce, read, settings_for
from tests.support.members import member
from tests.support.records import lone, request
from tests.support.waiting import wait_until

PARTITIONS = 4
FETCH_SESSION_ID_NOT_FOUND = 70


def numbers(count: int, *, start: int = 0) -> list[bytes | None]:
    return [b"%d" % number for number in range(start, count)]


async def test_a_coordinator_that_has_moved_costs_the_group_no_offset(
    broker: Broker, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T1: aiokafka reads the answer NOT_COORDINATOR as a group that has never committed."""
    await produce(broker, topics.request_topic, numbers(5))
    await commit(broker, topics, 3)
    send = AIOKafkaClient.send
    refused: list[OffsetFetchRequest] = []

    async def refuse_at_first(self: AIOKafkaClient, node: int, ask: object, **options: Any) -> object:
        if isinstance(ask, OffsetFetchRequest) and len(refused) < 10:
            refused.append(ask)
            return OffsetFetchResponse_v3(0, [], NotCoordinatorForGroupError.errno)
        return await send(self, node, ask, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", refuse_at_first)
    async with member(settings_for(broker, topics)) as only:
        await wait_until(lambda: len(only.delivered) >= 2)
    assert len(refused) == 10
    assert only.delivered == [(0, 3), (0, 4)]
    assert await committed(broker, topics) == 5


async def test_a_new_group_starts_at_the_earliest_record_and_has_an_offset_from_then_on(
    broker: Broker, topics: Topics
) -> None:
    """T2: an offset for empty partitions too, so that what comes while nobody is there is not jumped over."""
    await produce(broker, topics.request_topic, numbers(3))
    async with member(settings_for(broker, topics)) as only:
        await wait_until(lambda: len(only.delivered) >= 3)
    assert only.delivered == [(0, 0), (0, 1), (0, 2)]
    assert [await committed(broker, topics, partition=partition) for partition in range(PARTITIONS)] == [3, 0, 0, 0]


async def test_a_batch_that_cannot_be_decoded_the_first_time_costs_no_record(
    broker: Broker, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T3: a poll that fails drops what it had, of this partition and of all others, and has moved on."""
    for partition in range(PARTITIONS):
        for half in (numbers(10)[:5], numbers(10)[5:]):
            await produce(broker, topics.request_topic, half, partition=partition)
    decode = PartitionRecords.__next__
    failed: list[int] = []

    def fail_in_the_middle(self: PartitionRecords) -> object:
        batch = decode(self)
        if batch.base_offset == 5 and self._tp.partition not in failed:
            failed.append(self._tp.partition)
            raise CorruptRecordException(f"{self._tp}")
        return batch

    monkeypatch.setattr(PartitionRecords, "__next__", fail_in_the_middle)
    async with member(settings_for(broker, topics)) as only:
        await wait_until(lambda: len(only.delivered) >= 40)
    assert sorted(failed) == [0, 1, 2, 3]
    for partition in range(PARTITIONS):
        assert [offset for of, offset in only.delivered if of == partition] == [*range(10)]


async def test_what_comes_for_one_partition_wakes_its_own_lane_alone(
    broker: Broker, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T32: aiokafka wakes everybody who waits for any."""
    wait = Arrivals.wait
    woken: list[int] = []

    async def wait_for_long_and_tell(self: Arrivals, partition: TopicPartition, _timeout_s: float) -> None:
        await wait(self, partition, 60.0)
        woken.append(partition.partition)

    monkeypatch.setattr(Arrivals, "wait", wait_for_long_and_tell)
    async with member(settings_for(broker, topics)) as only:
        for partition in range(PARTITIONS):
            await produce(broker, topics.request_topic, numbers(1), partition=partition)
        await wait_until(lambda: len(only.delivered) == PARTITIONS)
        woken.clear()
        for _ in range(5):
            await produce(broker, topics.request_topic, numbers(1), partition=2)
        await wait_until(lambda: len(only.delivered) == PARTITIONS + 5)
    assert set(woken) == {2}


@pytest.mark.real_broker("it remembers what it was asked for")
async def test_a_broker_is_told_what_has_changed_since_the_last_fetch_and_may_forget_the_rest(
    broker: Broker, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T34: aiokafka tells it everything each time. A broker forgets whenever it lacks the room."""
    narrow, go_on = Session.narrow, Session.go_on
    told: list[list[int]] = []
    refusals: list[int] = []
    forgetting: list[int] = []

    def narrow_and_remember(self: Session, asked: Any) -> None:
        if forgetting and self._epoch:
            self._id += forgetting.pop()  # of such a session the broker does not know
        narrow(self, asked)
        told.append(sorted(partition for _, partitions in asked.topics for partition, *_ in partitions))

    def go_on_and_remember(self: Session, asked: Any, response: Any) -> None:
        refusals.extend([response.error_code] if response.error_code else [])
        go_on(self, asked, response)

    monkeypatch.setattr(Session, "narrow", narrow_and_remember)
    monkeypatch.setattr(Session, "go_on", go_on_and_remember)
    async with member(settings_for(broker, topics)) as only:
        for partition in range(PARTITIONS):
            await produce(broker, topics.request_topic, numbers(1), partition=partition)
        await wait_until(lambda: len(only.delivered) == PARTITIONS and told[-1:] == [[]])
        told.clear()
        await produce(broker, topics.request_topic, numbers(1), partition=2)
        await wait_until(lambda: len(only.delivered) == PARTITIONS + 1 and told[-1:] == [[]])
        assert [2] in told
        assert {*chain.from_iterable(told)} == {2}
        assert refusals == []
        forgetting.append(1)
        await wait_until(lambda: refusals == [FETCH_SESSION_ID_NOT_FOUND])
        await produce(broker, topics.request_topic, numbers(2), partition=2)
        await wait_until(lambda: len(only.delivered) == PARTITIONS + 3)
    assert [*range(PARTITIONS)] in told
    assert refusals == [FETCH_SESSION_ID_NOT_FOUND]
    assert [offset for partition, offset in only.delivered if partition == 2] == [*range(4)]


async def test_keys_and_values_arrive_as_the_bytes_they_are(broker: Broker, topics: Topics) -> None:
    """T5."""
    values = [b"\xff\xfe\x00", None, b"", b"{}"]
    await produce(broker, topics.request_topic, values)
    async with member(settings_for(broker, topics)) as only:
        await wait_until(lambda: len(only.records) >= 4)
    assert [value for *_, value in only.records] == values


@pytest.mark.real_broker("its topics have four partitions")
async def test_neither_a_member_without_partitions_nor_one_with_a_slow_batch_is_put_out_of_the_group(
    broker: Broker,
) -> None:
    """T4: both do not poll, and after `max_poll_interval_ms` aiokafka leaves the group on their behalf."""
    topics = fresh_topics(broker, partitions=1)
    settings = settings_for(broker, topics, max_poll_interval_ms=1_000)
    await produce(broker, topics.request_topic, numbers(1))
    async with member(settings) as slow, member(settings) as idle:
        await wait_until(lambda: len(slow.source.partitions) + len(idle.source.partitions) == 1)
        slow.gate.clear()
        idle.gate.clear()
        await produce(broker, topics.request_topic, numbers(5_000))
        await wait_until(lambda: slow.records_started + idle.records_started > 1_500)
        rebalances = slow.source.rebalances, idle.source.rebalances
        await asyncio.sleep(3)  # time is what this is about
        assert slow.source.in_group
        assert idle.source.in_group
        assert (slow.source.rebalances, idle.source.rebalances) == rebalances
        slow.gate.set()
        idle.gate.set()


@pytest.mark.real_broker("it keeps joining members waiting for longer than they wait")
async def test_what_is_in_flight_at_a_rebalance_is_delivered_and_committed_before_the_partitions_move(
    broker: Broker, topics: Topics
) -> None:
    """T7: by the lanes' own tasks, while every poll is blocked; the next owner starts behind it, and does none again."""
    for partition in range(PARTITIONS):
        await produce(broker, topics.request_topic, numbers(50), partition=partition)
    # Committed by nobody but the revocation, once the first commit has been made.
    settings = settings_for(broker, topics, chunk_records_max=5, commit_interval_ms=60_000)
    async with AsyncExitStack() as members:
        first = await members.enter_async_context(member(settings))
        await wait_until(lambda: len(first.delivered) == 200)
        first.gate.clear()
        for partition in range(PARTITIONS):
            await produce(broker, topics.request_topic, numbers(50), partition=partition)
        await wait_until(lambda: first.records_started >= 240)
        joining = asyncio.create_task(members.enter_async_context(member(settings)))
        await wait_until(lambda: first.lanes_are_draining)
        first.gate.set()
        second = await joining
        await wait_until(lambda: len(first.delivered) + len(second.delivered) >= 400)
        assert second.delivered

    everything = [(partition, offset) for partition in range(PARTITIONS) for offset in range(100)]
    assert sorted(first.delivered + second.delivered) == everything


@pytest.mark.real_broker("it keeps joining members waiting for longer than they wait")
async def test_a_poll_that_was_begun_before_a_rebalance_takes_no_record_after_it(
    broker: Broker, topics: Topics
) -> None:
    """T6: in aiokafka it goes on waiting, and takes what the new assignment brings."""
    settings = settings_for(broker, topics)
    async with member(settings) as first:
        await wait_until(lambda: len(first.source.partitions) == PARTITIONS)
        old = set(first.source.partitions)
        async with member(settings) as second:
            await wait_until(lambda: len(second.source.partitions) == PARTITIONS // 2)
        await wait_until(lambda: len(first.source.partitions) == PARTITIONS)
        assert not old & set(first.source.partitions)
        assert first.lanes_running == PARTITIONS

        for partition in range(PARTITIONS):
            await produce(broker, topics.request_topic, numbers(3), partition=partition)
        await wait_until(lambda: len(first.delivered) >= 12)
        await wait_until(lambda: not sum(partition.lag for partition in first.source.partitions))
    assert sorted(first.delivered) == [(partition, offset) for partition in range(PARTITIONS) for offset in range(3)]


@pytest.mark.parametrize(("attribute", "task"), [("_fetcher", "fetch"), ("_coordinator", "coordination")])
async def test_a_consumer_that_has_lost_one_of_its_tasks_is_found_out(
    broker: Broker, topics: Topics, attribute: str, task: str
) -> None:
    """T19: it looks as if there were nothing to read."""
    async with member(settings_for(broker, topics)) as only:
        only.source.check()
        running: asyncio.Task[None] = getattr(getattr(only.source._consumer, attribute), f"_{task}_task")
        running.cancel()
        await asyncio.wait([running])
        with pytest.raises(Stalled, match="has lost its"):
            only.source.check()


async def test_a_producer_that_cannot_send_is_replaced(
    broker: Broker, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T19 and T14: an error that is not Kafka's own, for ever, as when a socket has been closed by somebody else."""
    publisher = Publisher(settings_for(broker, topics), topics.result_topic, holds_too_large=False)
    async with nothing_left_behind():
        await publisher.start()
        try:
            assert await publisher.publish(0, lone(b"before")) == []
            broken = publisher._producer
            monkeypatch.setattr(broken.client, "send", _break)
            assert await asyncio.wait_for(publisher.publish(0, lone(b"after")), 10) == []
            assert publisher.replaced == 1
        finally:
            await publisher.stop()
    assert [record.value() for record in await read(broker, topics.result_topic)] == [b"before", b"after"]


async def _break(*_: object, **__: object) -> None:
    raise RuntimeError("unable to perform operation; the handler is closed")


async def test_no_worker_holds_a_connection_of_the_service(broker: Broker, topics: Topics) -> None:
    """T21: it would keep it open after the service has closed it, and share what is sent on it."""
    await produce(broker, topics.request_topic, [request("1")])
    service = Service(settings_for(broker, topics, workers=2))
    before, start_pool = open_sockets(), service.pool.start
    at_start: list[set[tuple[object, object]]] = []

    async def look_and_start() -> None:
        at_start.append(open_sockets() - before)
        await start_pool()

    service.pool.start = look_and_start  # type: ignore[method-assign] # looked at on its way, not replaced
    stop = asyncio.Event()
    async with nothing_left_behind():
        running = asyncio.create_task(service.run(stop))
        await wait_until(lambda: service.report.batches)
        assert open_sockets() - before
        assert [open_sockets(pid) for pid in service.pool.pids] == [set(), set()]

        os.kill(service.pool.pids[0], signal.SIGKILL)  # those that take their place are started among sockets
        await produce(broker, topics.request_topic, [request("2")])
        await wait_until(lambda: service.report.batches > 1 and service.pool.rebuilds)
        assert [open_sockets(pid) for pid in service.pool.pids] == [set(), set()]
        stop.set()
        await asyncio.wait_for(running, 20)
    assert at_start == [set()]
