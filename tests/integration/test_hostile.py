"""What a hostile producer sends, and what it costs the others: nothing. SECURITY.md tells the rest."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from consumer.kafka.producer import Producer
from consumer.wire.compression import EXPANDED_BYTES_MAX
from consumer.wire.packing import encode
from tests.support.brokers import Broker, Topics
from tests.support.guest import PASSWORD, Guest
from tests.support.in_process import running_service
from tests.support.instances import Instances, instances
from tests.support.kafka import committed, produce, read, settings_for
from tests.support.records import FORM, request
from tests.support.waiting import wait_until

RECORD_BYTES_MAX = 1_048_588 - 100  # what the broker takes by default, but for what a record batch begins with
CANARY = 918_273_645_546_372_819

Headers = list[tuple[str, bytes]]

REAL = pytest.mark.real_broker("it holds no producer to its limits")


async def send(
    broker: Broker,
    topic: str,
    value: bytes,
    *,
    key: bytes | None = None,
    headers: Headers | None = None,
    compression: str | None = None,
) -> None:
    """Write one record to partition 0, by a producer without any limits of its own."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, max_request_size=2**30, compression_type=compression
    )
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key, headers=headers, partition=0)
    finally:
        await producer.stop()


@REAL
async def test_a_record_batch_that_expands_a_thousandfold_holds_its_partition_and_no_other(
    broker: Broker, topics: Topics
) -> None:
    await send(broker, topics.request_topic, bytes(EXPANDED_BYTES_MAX), compression="zstd")
    with capture_logs() as logs:
        async with running_service(settings_for(broker, topics)) as service:
            await produce(broker, topics.request_topic, [request("innocent")], partition=1)
            await wait_until(lambda: service.report.batches == 1)
            await wait_until(lambda: any(line["event"] == "partition cannot be read, trying again" for line in logs))
    told = next(line for line in logs if line["event"] == "partition cannot be read, trying again")
    assert (told["partition"], told["offset"]) == (0, 0)
    assert f"cannot be decompressed into {EXPANDED_BYTES_MAX} bytes" in told["error"]
    assert [message.key() for message in await read(broker, topics.result_topic, partition=1)] == [b"innocent"]
    assert await committed(broker, topics) in {None, 0}


@REAL
async def test_a_flood_of_headers_is_kept_whole_in_the_dead_letter(broker: Broker, topics: Topics) -> None:
    flood = [(f"dlq.reason-{number}", b"x" * 20) for number in range(10_000)]
    forged = [("dlq.reason", b"forged"), ("source", b"forged/0/0")]
    await send(broker, topics.request_topic, b"no batch", headers=flood + forged)
    async with running_service(settings_for(broker, topics)) as service:
        await wait_until(lambda: service.report.batches == 1)
    (letter,) = await read(broker, topics.dead_letter_topic)
    headers = cast("Headers", letter.headers())
    assert headers[:10_002] == flood + forged
    assert dict(headers)["dlq.reason"] == b"invalid_json"  # ours are behind, and the last one counts


@REAL
async def test_a_header_whose_name_is_no_text_ends_nobody(broker: Broker, topics: Topics) -> None:
    """Kafka takes any bytes for a name, and aiokafka breaks off at them: whoever has the partition next would, too."""
    settings = settings_for(broker, topics)
    (batch,) = encode([(None, b"no batch", [("abc", b"1")], None)], FORM.packing)
    hostile = batch._replace(data=batch.data.replace(b"abc", b"\xff\xfea"))
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.append(topics.request_topic, 0, [hostile])
    finally:
        await producer.stop()
    async with running_service(settings) as service:
        await wait_until(lambda: service.report.batches == 1)
    (letter,) = await read(broker, topics.dead_letter_topic)
    assert letter.value() == b"no batch"
    assert cast("Headers", letter.headers())[0] == ("\\xff\\xfea", b"1")


@REAL
@pytest.mark.parametrize("where", ["key", "traceparent"])
async def test_an_answer_too_large_for_what_the_request_brought_along_is_a_dead_letter(
    broker: Broker, topics: Topics, where: str
) -> None:
    """Key and trace are the answer's, too; where nothing fits, not even the failed answer, the dead letter tells."""
    value = request("a", [[1, 2]])
    along = b"x" * (RECORD_BYTES_MAX - len(value) - 40)
    await send(
        broker,
        topics.request_topic,
        value,
        key=along if where == "key" else None,
        headers=[("traceparent", along)] if where == "traceparent" else None,
    )
    await produce(broker, topics.request_topic, [request("innocent")])
    async with running_service(settings_for(broker, topics)) as service:
        await wait_until(lambda: service.report.batches == 2)
    assert [message.key() for message in await read(broker, topics.result_topic)] == [b"innocent"]
    (letter,) = await read(broker, topics.dead_letter_topic)
    assert letter.value() == value
    assert dict(letter.headers() or [])["dlq.reason"] == b"result_too_large"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Instances]:
    async with instances(tmp_path) as running:
        yield running


async def test_neither_a_secret_nor_a_payload_is_in_any_log_even_at_debug(guest: Guest, running: Instances) -> None:
    """Good batches, bad ones, and ones that are refused; and a batchid that would be a line of its own."""
    forged = '\\n{\\"event\\": \\"forged\\"}\\u001b[2J'
    payload = f"[[{CANARY}, 1]]"
    values = [
        f'{{"batchid": "good{forged}", "payload": {payload}}}',
        f'{{"batchid": "bad{forged}", "payload": {payload}, "payload": "{CANARY}"}}',
        f'{{"batchid": "broken", "payload": {payload}',
        f'{{"batchid": {CANARY}, "payload": {payload}}}',
    ]
    await guest.let_in()
    await guest.permit("At least once")
    instance = await running.start(guest.password(log_level="debug")).ready()
    await produce(guest.kafka, guest.topics.request_topic, [value.encode() for value in values])
    await instance.logged("dead letter", times=3)
    assert await instance.stopped() == 0
    log = instance.log_file.read_text()
    assert len(await read(guest.kafka, guest.topics.result_topic)) == 2
    assert str(CANARY) not in log
    assert PASSWORD not in log
    assert not instance.events("forged")
    assert "\x1b" not in log
