"""The spans that are made of what lanes have delivered, as an exporter gets them."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from consumer import traces
from consumer.chunk import Chunk, Processed
from consumer.metrics import REGISTRY
from consumer.traces import CHUNK_BATCHES_MAX, Traces, TracesMisconfigured, sending_to
from consumer.wire.trace import span_id
from domain.batch import Code, Rejection
from tests.support.records import chunk_of, request

TRACE_ID, PARENT_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
TRACEPARENT = b"00-%032x-%016x-01" % (TRACE_ID, PARENT_ID)


def delivered_chunk(batches: int = 3) -> Chunk:
    """One that was fetched 10 s ago, and has been a second at each station of its road."""
    chunk = chunk_of([request("secret-batchid")] * batches, topic="requests", partition=2, first_offset=40)
    times, began = chunk.times, chunk.fetched_at + 1
    times.began, times.ended, times.publishing, times.durable = began, began + 1, began + 2, began + 3
    return chunk


def spans_of(chunk: Chunk, traced: Sequence[int], rejected: Sequence[int] = ()) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    rejections = dict.fromkeys(rejected, Rejection(Code.INVALID_JSON, "secret message", (), "secret-batchid", None))
    processed = Processed(3, 0, [], rejections, dict.fromkeys(traced, TRACEPARENT))
    Traces(SimpleSpanProcessor(exporter), group_id="group").delivered(chunk, processed)
    return list(exporter.get_finished_spans())


def test_a_traced_batch_has_a_span_and_a_child_for_each_part_of_its_road() -> None:
    whole, *parts = spans_of(delivered_chunk(), traced=[41])
    assert (whole.name, whole.kind) == ("batchsum process", SpanKind.CONSUMER)
    assert [part.name for part in parts] == ["queue", "compute", "publish"]
    ours = span_id("group", b"requests/2/41")
    assert whole.context.span_id == ours
    assert whole.parent is not None
    assert (whole.parent.span_id, whole.parent.is_remote) == (PARENT_ID, True)
    assert [part.parent and part.parent.span_id for part in parts] == [ours] * 3
    assert {span.context.trace_id for span in (whole, *parts)} == {TRACE_ID}
    assert len({span.context.span_id for span in (whole, *parts)}) == 4


def test_spans_begin_and_end_when_the_chunk_came_to_its_stations() -> None:
    before = time.time()
    chunk = delivered_chunk()
    spans = {span.name: span for span in spans_of(chunk, traced=[41])}
    whole = spans["batchsum process"]
    assert whole.start_time is not None
    assert before - 0.5 < whole.start_time / 1e9 < time.time() + 0.5
    since = {
        name: tuple(round(((at or 0) - whole.start_time) / 1e9, 3) for at in (span.start_time, span.end_time))
        for name, span in spans.items()
    }
    assert since == {"batchsum process": (0, 4), "queue": (0, 1), "compute": (1, 2), "publish": (3, 4)}


def test_a_span_says_where_the_request_stands_and_nothing_of_what_is_in_it() -> None:
    spans = spans_of(delivered_chunk(), traced=[41, 42], rejected=[42])
    assert spans[0].attributes == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "requests",
        "messaging.destination.partition.id": "2",
        "messaging.kafka.offset": 41,
        "messaging.consumer.group.name": "group",
    }
    assert not any("secret" in span.to_json() for span in spans)


def test_the_span_of_a_rejected_batch_is_an_error_with_its_code() -> None:
    good, _, _, _, bad, *parts = spans_of(delivered_chunk(), traced=[41, 42], rejected=[42])
    assert good.status.status_code is StatusCode.UNSET
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, "invalid_json")
    assert bad.attributes is not None
    assert bad.attributes["error.type"] == "invalid_json"
    assert {part.status.status_code for part in parts} == {StatusCode.UNSET}


def test_what_is_not_traced_has_no_span() -> None:
    assert spans_of(delivered_chunk(), traced=[], rejected=[41]) == []


def test_of_one_chunk_no_more_have_spans_than_can_wait_to_be_sent_and_the_others_are_counted() -> None:
    def untraced() -> float:
        return REGISTRY.get_sample_value("batchsum_untraced_total") or 0

    before = untraced()
    assert len(spans_of(delivered_chunk(), traced=range(CHUNK_BATCHES_MAX + 3))) == 4 * CHUNK_BATCHES_MAX
    assert untraced() == before + 3


def test_the_environment_may_name_the_service_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spans_of(delivered_chunk(), traced=[41])[0].resource.attributes["service.name"] == "batchsum"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "sums")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    attributes = spans_of(delivered_chunk(), traced=[41])[0].resource.attributes
    assert (attributes["service.name"], attributes["deployment.environment.name"]) == ("sums", "test")


def test_a_queue_that_is_smaller_than_what_is_sent_at_once_is_a_mistake_in_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    with pytest.raises(TracesMisconfigured, match="max_export_batch_size must be less than or equal") as caught:
        sending_to("http://localhost:4318")
    assert caught.value.exit_code == 2


class Collector(SpanExporter):
    """Takes spans, and keeps whoever sends them waiting until it is let go."""

    def __init__(self) -> None:
        self.taken: list[ReadableSpan] = []
        self.gate = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.gate.wait()
        self.taken += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def collector() -> Collector:
    return Collector()


async def test_what_waits_to_be_sent_is_sent_before_the_end(collector: Collector) -> None:
    made = Traces(BatchSpanProcessor(collector), group_id="group")
    made.delivered(delivered_chunk(), Processed(3, 0, [], {}, {41: TRACEPARENT}))
    collector.gate.set()
    await made.close()
    assert [span.name for span in collector.taken] == ["batchsum process", "queue", "compute", "publish"]


async def test_a_collector_that_does_not_answer_holds_nobody(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "FLUSH_TIMEOUT_S", 0.05)
    made = Traces(BatchSpanProcessor(collector), group_id="group")
    made.delivered(delivered_chunk(), Processed(3, 0, [], {}, {41: TRACEPARENT}))
    async with asyncio.timeout(10):
        await made.close()
    assert collector.taken == []
    collector.gate.set()


def test_without_an_endpoint_nothing_of_it_is_imported() -> None:
    script = (
        "import asyncio, sys\n"
        "from config.settings import Settings\n"
        "from consumer.service import Service\n"
        "async def make(): Service(Settings())\n"
        "asyncio.run(make())\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'consumer.traces'))])\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
