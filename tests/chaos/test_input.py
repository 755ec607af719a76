"""Faults 4, 5, 28: requests that are malformed, huge, or have answers that are too large."""

import asyncio
import json
import statistics
from typing import cast

import pytest
from confluent_kafka import Message

from consumer.ledger.entry import Expectation
from domain.batch import Code
from tests.chaos.load import Batch, bad, good, goods, order
from tests.chaos.scene import Scene, both_deliveries
from tests.support.kafka import read

pytestmark = pytest.mark.real_broker("it judges guarantees")

RESULT_BYTES_MAX = 20_000


@both_deliveries
async def test_04_an_answer_larger_than_the_topic_takes_is_dead_lettered_alone(stage: Scene) -> None:
    """Once the service's own limit refuses it, once the topic's, of which the service cannot know."""
    await asyncio.to_thread(stage.kafka.configure, stage.topics.result_topic, {"max.message.bytes": "15000"})
    instance = await stage.started(result_bytes_max=RESULT_BYTES_MAX)
    beyond_the_topic = too_large("beyond the topic", lists=8_000)
    beyond_the_service = too_large("beyond the service", lists=11_000)
    await stage.produce([*goods(20), beyond_the_topic, *goods(20), beyond_the_service, *goods(20)])
    await stage.settled()
    assert {letter["dlq.reason"] for letter in await stage.dead_letters()} == {b"result_too_large"}
    assert await instance.stopped() == 0
    assert stage.judge() == []


def too_large(batchid: str, *, lists: int) -> Batch:
    value = good(batchid, [[0]] * lists).value
    return Batch(value=value, expectation=Expectation(batchid=batchid, verdicts=[Code.RESULT_TOO_LARGE]))


def named(batchid: str, payload: str) -> bytes:
    return f'{{"batchid": "{batchid}", "payload": {payload}}}'.encode()


MALFORMED = [
    bad(None, Code.EMPTY_RECORD, replied=False),
    bad(b"", Code.INVALID_JSON, replied=False),
    bad(b'{"batchid": "cut", "payload": [[1, 2', Code.INVALID_JSON, replied=False),
    bad(b"\xef\xbb\xbf" + named("byte order mark", "[]"), Code.INVALID_JSON, replied=False),
    bad(named("utf-16", "[]").decode().encode("utf-16"), Code.INVALID_JSON, replied=False),
    bad(b'{"batchid": "latin \xe9", "payload": []}', Code.INVALID_JSON, replied=False),
    bad(named("trailing", "[]") + b"x", Code.INVALID_JSON, replied=False),
    bad(named("two", "[]") * 2, Code.INVALID_JSON, replied=False),
    bad(named("deep", "[" * 10_000 + "]" * 10_000), Code.INVALID_JSON, replied=False),
    bad(named("too many digits", f"[[{'9' * 4301}]]"), Code.INVALID_JSON, replied=False),
    bad(named("nan", "[[NaN]]"), Code.INVALID_REQUEST, replied=True),
    bad(named("infinity", "[[-Infinity]]"), Code.INVALID_REQUEST, replied=True),
    bad(named("float", "[[1.0]]"), Code.INVALID_REQUEST, replied=True),
    bad(named("exponent", "[[1e3]]"), Code.INVALID_REQUEST, replied=True),
    bad(named("boolean", "[[true]]"), Code.INVALID_REQUEST, replied=True),
    bad(named("text", '[["1"]]'), Code.INVALID_REQUEST, replied=True),
    bad(named("null", "[[null]]"), Code.INVALID_REQUEST, replied=True),
    bad(named("no lists", "[1]"), Code.INVALID_REQUEST, replied=True),
    bad(named("object", "{}"), Code.INVALID_REQUEST, replied=True),
    bad(b'{"batchid": "no payload"}', Code.INVALID_REQUEST, replied=True),
    bad(b'{"payload": [[1]]}', Code.INVALID_REQUEST, replied=False),
    bad(named("", "[[1]]"), Code.INVALID_REQUEST, replied=False),
    bad(named("x" * 257, "[[1]]"), Code.INVALID_REQUEST, replied=False),
    bad(b'{"batchid": 7, "payload": [[1]]}', Code.INVALID_REQUEST, replied=False),
    bad(b"[]", Code.INVALID_REQUEST, replied=False),
    bad(b"7", Code.INVALID_REQUEST, replied=False),
]

UNUSUAL = [
    Batch(
        value=b'{"batchid": "first", "payload": [[1]], "batchid": "last", "payload": [[2]]}',
        expectation=Expectation(batchid="last", sums=[2]),
    ),
    Batch(
        value=b' {"extra": {"a": [null]}, "batchid": "\\u00e9\\ud83d\\ude00", "payload": [[], [-0, 0]]}\n',
        expectation=Expectation(batchid="é😀", sums=[0, 0]),
    ),
    good("empty", []),
    good("é" * 256, [[int("9" * 4299), 1], [-(10**4298)]]),
    Batch(value=named("key", "[[1]]"), key=b"\xff\x00", expectation=Expectation(batchid="key", sums=[1])),
]


@both_deliveries
async def test_05_every_malformed_request_has_its_documented_verdict(stage: Scene) -> None:
    """In any company, and the second time as the first: the same bytes get the same verdict, to the letter."""
    instance = await stage.started(workers=2)
    await stage.produce([*goods(5), *MALFORMED, *UNUSUAL, *goods(5)], partition=0)
    await stage.produce([*reversed(MALFORMED), *UNUSUAL], partition=1)
    for batch in (*MALFORMED, *UNUSUAL):
        await stage.produce([batch], partition=2)
    await stage.settled()
    assert await instance.stopped() == 0
    assert stage.judge() == []
    said: dict[bytes | None, set[tuple[bytes, ...]]] = {}
    for partition in range(3):
        for letter in await read(stage.kafka, stage.topics.dead_letter_topic, partition=partition):
            headers = cast("dict[str, bytes]", dict(letter.headers() or ()))
            what = tuple(headers.get(f"dlq.{name}", b"") for name in ("reason", "message", "details"))
            said.setdefault(letter.value(), set()).add(what)
    assert len(said) == len(MALFORMED)
    assert {len(whats) for whats in said.values()} == {1}, said


HUGE_S = 3.0


@pytest.mark.slow
@both_deliveries
async def test_28_a_huge_batch_or_a_hot_partition_does_not_slow_the_others_down(stage: Scene) -> None:
    """While partition 0 keeps a worker busy for seconds, and partition 1 has a backlog, a lone batch is answered soon."""
    instance = await stage.started(faulty=True, workers=2)
    await stage.produce([order(f"sleep:{HUGE_S}")], partition=0)
    backlog = asyncio.create_task(stage.produce(goods(20_000), partition=1))
    for number in range(20):
        await stage.produce([good(f"lone {number}")], partition=2)
        await asyncio.sleep(0.1)
    await backlog
    await stage.settled()
    requests = await read(stage.kafka, stage.topics.request_topic, partition=2)
    results = await read(stage.kafka, stage.topics.result_topic, partition=2)
    latencies_ms = [
        published_ms(result) - published_ms(request) for request, result in zip(requests, results, strict=True)
    ]
    assert statistics.median(latencies_ms) < 500
    assert max(latencies_ms) < HUGE_S * 1000 / 2, json.dumps(latencies_ms)
    assert await instance.stopped() == 0
    assert stage.judge() == []


def published_ms(message: Message) -> int:
    _, timestamp_ms = message.timestamp()
    return int(timestamp_ms or 0)
