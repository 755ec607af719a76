"""Traces through a service on a real broker, as a collector gets them and as who reads the answers sees them."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from typing import cast

import pytest
from confluent_kafka import Message
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from structlog.testing import capture_logs

from domain.batch import Code
from tests.support.brokers import Broker, Topics
from tests.support.collector import Collector
from tests.support.faulty_work import faulty_work
from tests.support.in_process import running_service
from tests.support.kafka import produce, read, settings_for
from tests.support.records import request
from tests.support.waiting import patience, wait_until

TRACE_ID, PARENT_ID = bytes.fromhex("0af7651916cd43dd8448eb211c80319c"), bytes.fromhex("b7ad6b7169203331")
SAMPLED = f"00-{TRACE_ID.hex()}-{PARENT_ID.hex()}-01".encode()
UNSAMPLED = SAMPLED[:-1] + b"0"
NAMES = ["batchsum process", "compute", "publish", "queue"]

UNFENCED = pytest.mark.real_broker("it neither fences producers nor hides what was aborted")
deliveries = pytest.mark.parametrize("delivery", ["at_least_once", pytest.param("exactly_once", marks=UNFENCED)])


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")
    with Collector().running() as collector:
        yield collector


def traceparent(message: Message) -> bytes | None:
    return dict(cast("list[tuple[str, bytes]]", message.headers())).get("traceparent")


def by_name(spans: Sequence[Span]) -> dict[str, Span]:
    assert sorted(span.name for span in spans) == NAMES
    return {span.name: span for span in spans}


def told(span: Span) -> dict[str, object]:
    return {
        attribute.key: getattr(attribute.value, str(attribute.value.WhichOneof("value")))
        for attribute in span.attributes
    }


@deliveries
async def test_a_sampled_request_has_its_spans_and_its_answer_goes_on_from_them(
    broker: Broker, topics: Topics, collector: Collector, delivery: str
) -> None:
    sent_ns = time.time_ns()
    headers = [("traceparent", SAMPLED), ("tracestate", b"vendor=1")]
    await produce(broker, topics.request_topic, [request("a")], headers=headers)
    settings = settings_for(broker, topics, delivery=delivery, traces_endpoint=collector.url)
    async with running_service(settings) as service:
        await wait_until(lambda: service.report.batches == 1)

    spans = by_name(collector.spans)
    whole, queue, compute, publish = (spans[name] for name in ("batchsum process", "queue", "compute", "publish"))
    assert collector.services == {"batchsum"}
    assert {span.trace_id for span in collector.spans} == {TRACE_ID}
    assert len({span.span_id for span in collector.spans}) == 4
    assert whole.parent_span_id == PARENT_ID
    assert {span.parent_span_id for span in (queue, compute, publish)} == {whole.span_id}
    assert (whole.kind, whole.status.code) == (Span.SPAN_KIND_CONSUMER, Status.STATUS_CODE_UNSET)
    assert told(whole)["messaging.destination.name"] == topics.request_topic
    assert (told(whole)["messaging.destination.partition.id"], told(whole)["messaging.kafka.offset"]) == ("0", 0)
    assert told(whole)["messaging.consumer.group.name"] == topics.group_id

    stations = [
        sent_ns,
        *(whole.start_time_unix_nano, compute.start_time_unix_nano, compute.end_time_unix_nano),
        *(publish.start_time_unix_nano, publish.end_time_unix_nano, time.time_ns()),
    ]
    assert stations == sorted(stations)
    assert queue.start_time_unix_nano == whole.start_time_unix_nano
    assert queue.end_time_unix_nano == compute.start_time_unix_nano
    assert publish.end_time_unix_nano == whole.end_time_unix_nano

    (answer,) = await read(broker, topics.result_topic)
    assert answer.headers() == [
        ("source", f"{topics.request_topic}/0/0".encode()),
        ("traceparent", f"00-{TRACE_ID.hex()}-{whole.span_id.hex()}-01".encode()),
        ("tracestate", b"vendor=1"),
    ]


async def test_what_is_not_sampled_or_not_valid_has_no_span_and_is_passed_on_as_it_was(
    broker: Broker, topics: Topics, collector: Collector
) -> None:
    for value in (UNSAMPLED, b"00-nonsense-01", SAMPLED):
        await produce(broker, topics.request_topic, [request("a")], headers=[("traceparent", value)])
    await produce(broker, topics.request_topic, [request("b")])
    async with running_service(settings_for(broker, topics, traces_endpoint=collector.url)) as service:
        await wait_until(lambda: service.report.batches == 4)

    whole = by_name(collector.spans)["batchsum process"]
    assert told(whole)["messaging.kafka.offset"] == 2
    answers = await read(broker, topics.result_topic)
    ours = f"00-{TRACE_ID.hex()}-{whole.span_id.hex()}-01".encode()
    assert [traceparent(answer) for answer in answers] == [UNSAMPLED, b"00-nonsense-01", ours, None]


async def test_a_batch_that_cannot_be_processed_has_a_span_with_an_error(
    broker: Broker, topics: Topics, collector: Collector
) -> None:
    """One that a worker rejects, and one that kills it: its spans, and its failed answer, come out of quarantine."""
    await produce(broker, topics.request_topic, [b"no JSON", request("signal:11")], headers=[("traceparent", SAMPLED)])
    settings = settings_for(broker, topics, traces_endpoint=collector.url)
    async with running_service(settings, faulty_work()) as service:
        await wait_until(lambda: service.report.batches == 2)

    errors = {told(span).get("messaging.kafka.offset"): span for span in collector.spans if span.status.code}
    assert {offset: span.status.message for offset, span in errors.items()} == {
        0: Code.INVALID_JSON,
        1: Code.WORKER_CRASHED,
    }
    assert {span.status.code for span in errors.values()} == {Status.STATUS_CODE_ERROR}
    assert [told(span)["error.type"] for span in errors.values()] == [Code.INVALID_JSON, Code.WORKER_CRASHED]
    (failed,) = await read(broker, topics.result_topic)
    assert traceparent(failed) == f"00-{TRACE_ID.hex()}-{errors[1].span_id.hex()}-01".encode()
    letters = await read(broker, topics.dead_letter_topic)
    assert [traceparent(letter) for letter in letters] == [SAMPLED, SAMPLED]  # bit for bit the request


async def test_a_collector_that_is_away_costs_no_batch_and_holds_no_stop(broker: Broker, topics: Topics) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        await produce(broker, topics.request_topic, [request("a")], headers=[("traceparent", SAMPLED)])
        settings = settings_for(broker, topics, traces_endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with capture_logs() as logs:
            async with running_service(settings) as service:
                await wait_until(lambda: service.report.batches == 1)
                done_at = time.monotonic()
        assert time.monotonic() - done_at < 15 * patience()
    assert len(await read(broker, topics.result_topic)) == 1
    assert any(line["event"] == "spans dropped" for line in logs)
