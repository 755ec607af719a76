"""The service on a real broker: every request has its answer, exact, in order and marked with where it stood."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import cast

import pytest
from confluent_kafka import Message

from consumer.service import Service
from domain.batch import Code, Response
from tests.support.brokers import Broker, Topics, fresh_topics
from tests.support.faulty_work import faulty_work
from tests.support.in_process import running_service
from tests.support.kafka import committed, produce, read, settings_for
from tests.support.records import request
from tests.support.waiting import wait_until

PARTITIONS = range(4)

UNFENCED = pytest.mark.real_broker("it neither fences producers nor hides what was aborted")
pytestmark = pytest.mark.parametrize("delivery", ["at_least_once", pytest.param("exactly_once", marks=UNFENCED)])


def headers(message: Message) -> dict[str, bytes]:
    return dict(cast("list[tuple[str, bytes]]", message.headers() or []))


def answers(messages: Sequence[Message]) -> list[dict[str, object]]:
    return [json.loads(message.value() or b"") for message in messages]


def all_done(service: Service, batches: int) -> bool:
    return service.report.batches >= batches


async def test_the_example_of_the_contract_is_answered_as_the_contract_says(
    broker: Broker, topics: Topics, delivery: str
) -> None:
    await produce(broker, topics.request_topic, [b'{"batchid": "id0101", "payload": [[1, 2], [3, 4]]}'])
    async with running_service(settings_for(broker, topics, delivery=delivery)) as service:
        await wait_until(lambda: service.report.batches == 1)

    (message,) = await read(broker, topics.result_topic)
    assert message.key() == b"id0101"
    assert message.headers() == [("source", f"{topics.request_topic}/0/0".encode())]
    (answer,) = answers([message])
    assert list(answer) == ["batchid", "response", "status", "started_at", "completed_at"]
    assert (answer["batchid"], answer["response"], answer["status"]) == ("id0101", [3, 7], "complete")
    Response.model_validate_json(message.value() or b"")


@pytest.mark.real_broker("it keeps a few megabytes per partition, and this is more")
async def test_a_hundred_thousand_batches_are_all_right_and_in_order(
    broker: Broker, topics: Topics, delivery: str
) -> None:
    numbers = random.Random(7)
    payloads = {
        partition: [[[numbers.randint(-(10**12), 10**12) for _ in range(3)] for _ in range(2)] for _ in range(25_000)]
        for partition in PARTITIONS
    }
    for partition, batches in payloads.items():
        values = [request(f"{partition}-{number}", payload) for number, payload in enumerate(batches)]
        await produce(broker, topics.request_topic, values, partition=partition)
    async with running_service(settings_for(broker, topics, delivery=delivery, workers=2)) as service:
        await wait_until(lambda: service.report.batches == 100_000, timeout_s=60)

    for partition, batches in payloads.items():
        results = await read(broker, topics.result_topic, partition=partition)
        assert [answer["batchid"] for answer in answers(results)] == [f"{partition}-{n}" for n in range(25_000)]
        assert [answer["response"] for answer in answers(results)] == [[sum(x) for x in payload] for payload in batches]
        assert [headers(result)["source"] for result in results] == [
            f"{topics.request_topic}/{partition}/{offset}".encode() for offset in range(25_000)
        ]
        assert await committed(broker, topics, partition=partition) == 25_000


BAD = [
    (None, Code.EMPTY_RECORD, False),
    (b"", Code.INVALID_JSON, False),
    (b"not json", Code.INVALID_JSON, False),
    (b'\xef\xbb\xbf{"batchid": "bom", "payload": []}', Code.INVALID_JSON, False),
    ('{"batchid": "utf-16", "payload": []}'.encode("utf-16"), Code.INVALID_JSON, False),
    (b'{"batchid": "cut", "payload": [[1, 2', Code.INVALID_JSON, False),
    (b'{"batchid": "more", "payload": []} {}', Code.INVALID_JSON, False),
    (b'{"payload": [[1]]}', Code.INVALID_REQUEST, False),
    (b'{"batchid": "", "payload": [[1]]}', Code.INVALID_REQUEST, False),
    (b'{"batchid": "missing"}', Code.INVALID_REQUEST, True),
    (b'{"batchid": "float", "payload": [[1.0]]}', Code.INVALID_REQUEST, True),
    (b'{"batchid": "nan", "payload": [[NaN]]}', Code.INVALID_REQUEST, True),
    (b'{"batchid": "true", "payload": [[true]]}', Code.INVALID_REQUEST, True),
    (b'{"batchid": "text", "payload": [["1"]]}', Code.INVALID_REQUEST, True),
    (b'{"batchid": "null", "payload": [null]}', Code.INVALID_REQUEST, True),
]


async def test_bad_input_of_every_kind_is_dead_lettered_bit_for_bit(
    broker: Broker, topics: Topics, delivery: str
) -> None:
    values = [value for value, _, _ in BAD]
    await produce(broker, topics.request_topic, [request("first"), *values, request("last")])
    async with running_service(settings_for(broker, topics, delivery=delivery)) as service:
        await wait_until(lambda: service.report.batches == len(BAD) + 2)

    letters = await read(broker, topics.dead_letter_topic)
    assert [letter.value() for letter in letters] == values
    assert [headers(letter)["dlq.reason"].decode() for letter in letters] == [code for _, code, _ in BAD]
    assert [headers(letter)["dlq.offset"] for letter in letters] == [b"%d" % n for n in range(1, len(BAD) + 1)]
    replies = answers(await read(broker, topics.result_topic))
    readable = [json.loads(value)["batchid"] for value, _, has_reply in BAD if has_reply and value]
    assert [answer["batchid"] for answer in replies] == ["first", *readable, "last"]
    assert {answer["status"] for answer in replies[1:-1]} == {"failed"}


async def test_failed_answers_can_be_switched_off(broker: Broker, topics: Topics, delivery: str) -> None:
    await produce(broker, topics.request_topic, [request("bad", "no list"), request("good")])
    async with running_service(settings_for(broker, topics, delivery=delivery, reply_to_failed=False)) as service:
        await wait_until(lambda: service.report.batches == 2)

    assert [answer["batchid"] for answer in answers(await read(broker, topics.result_topic))] == ["good"]
    assert len(await read(broker, topics.dead_letter_topic)) == 1


async def test_a_batch_that_kills_its_worker_costs_only_itself(broker: Broker, topics: Topics, delivery: str) -> None:
    await produce(broker, topics.request_topic, [request("before"), request("signal:11"), request("after")])
    async with running_service(settings_for(broker, topics, delivery=delivery), faulty_work()) as service:
        await wait_until(lambda: service.report.batches == 3)

    assert [(answer["batchid"], answer["status"]) for answer in answers(await read(broker, topics.result_topic))] == [
        ("before", "complete"),
        ("signal:11", "failed"),
        ("after", "complete"),
    ]
    (letter,) = await read(broker, topics.dead_letter_topic)
    assert (headers(letter)["dlq.reason"], headers(letter)["dlq.exit"]) == (b"worker_crashed", b"SIGSEGV")
    assert headers(letter)["dlq.attempts"] == b"2"
    assert letter.value() == request("signal:11")


async def test_no_lane_is_left_when_partitions_are_assigned_while_a_start_is_given_up(
    broker: Broker, topics: Topics, delivery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on without a consumer and without a drain, and be torn down in the middle of what it does."""
    service, stop = Service(settings_for(broker, topics, delivery=delivery)), asyncio.Event()
    join = service.source.start

    async def join_and_hang() -> None:
        await join()
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await service.source.stop()

    monkeypatch.setattr(service.source, "start", join_and_hang)
    await asyncio.wait_for(service.run(stop), 60)
    assert not service._lanes.running
    assert not service._lanes.failed.done()


async def test_a_restart_goes_on_where_the_last_run_stopped(broker: Broker, topics: Topics, delivery: str) -> None:
    for run in range(3):
        await produce(broker, topics.request_topic, [request(f"{run}-{number}") for number in range(100)])
        async with running_service(settings_for(broker, topics, delivery=delivery)) as service:
            await wait_until(partial(all_done, service, 100))

    sources = [headers(result)["source"] for result in await read(broker, topics.result_topic)]
    assert sources == [f"{topics.request_topic}/0/{offset}".encode() for offset in range(300)]


@pytest.mark.real_broker("it refuses a member that joins while its group rebalances")
async def test_instances_share_the_partitions_and_hand_them_over(broker: Broker, topics: Topics, delivery: str) -> None:
    """One joins while work is under way, and the first one leaves: nothing is lost, nothing doubled, all in order."""
    settings = settings_for(broker, topics, delivery=delivery, chunk_records_max=20)
    expected = Counter[bytes]()

    async def submit(start: int) -> None:
        for partition in PARTITIONS:
            values = [request(f"{partition}-{number}") for number in range(start, start + 500)]
            await produce(broker, topics.request_topic, values, partition=partition)
            expected.update(f"{topics.request_topic}/{partition}/{n}".encode() for n in range(start, start + 500))

    def done(*services: Service) -> int:
        return sum(service.report.batches for service in services)

    async with running_service(settings) as second:
        async with running_service(settings) as first:
            await wait_until(lambda: len(first.source.partitions) == len(second.source.partitions) == 2)
            await submit(0)
            await wait_until(lambda: done(first, second) >= 1000)
            assert done(first) > 0
            assert done(second) > 0
            await submit(500)
        await wait_until(lambda: len(second.source.partitions) == 4)
        await submit(1000)
        await wait_until(lambda: done(first, second) >= 6000)

    seen = Counter[bytes]()
    for partition in PARTITIONS:
        sources = [headers(result)["source"] for result in await read(broker, topics.result_topic, partition=partition)]
        offsets = [int(source.rsplit(b"/", 1)[1]) for source in dict.fromkeys(sources)]
        assert offsets == sorted(offsets)
        seen.update(sources)
    assert seen.keys() == expected.keys()
    assert seen == expected, "both left in order, so nothing had to be done twice"


async def test_lag_reads_zero_when_all_is_done(broker: Broker, topics: Topics, delivery: str) -> None:
    await produce(broker, topics.request_topic, [request(str(number)) for number in range(50)])
    async with running_service(settings_for(broker, topics, delivery=delivery)) as service:
        await wait_until(lambda: service.report.batches == 50)

        await wait_until(lambda: [partition.lag for partition in service.source.partitions] == [0, 0, 0, 0])


@pytest.mark.real_broker("it is made anew when it is stopped")
async def test_a_broker_that_restarts_loses_nothing(private_broker: Broker, delivery: str) -> None:
    topics = fresh_topics(private_broker)
    async with running_service(settings_for(private_broker, topics, delivery=delivery)) as service:
        await produce(private_broker, topics.request_topic, [request(f"before {n}") for n in range(200)])
        await wait_until(lambda: service.report.batches >= 200)
        await asyncio.to_thread(private_broker.stop)
        await asyncio.to_thread(private_broker.start)
        await produce(private_broker, topics.request_topic, [request(f"after {n}") for n in range(200)])
        await wait_until(lambda: service.report.batches >= 400, timeout_s=60)

    batchids = dict.fromkeys(answer["batchid"] for answer in answers(await read(private_broker, topics.result_topic)))
    assert list(batchids) == [f"before {n}" for n in range(200)] + [f"after {n}" for n in range(200)]
