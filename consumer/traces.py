"""Traces: a span for each batch whose request says that it is traced, and one for each part of its road.

Spans are made when all is done, from the times that the chunk has kept. They hold where the request stands and how it
ended, and nothing of what is in it. Who sends requests decides which are traced, and nobody draws lots once more: the
answer has named the span by then. So they are made as they are, without a tracer, which would cost three times as much.
"""

import asyncio
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import islice
from typing import ClassVar, NamedTuple

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from consumer import metrics
from consumer.chunk import Chunk, Processed
from consumer.failures import Failure
from consumer.wire import trace
from consumer.wire.answers import source
from domain.batch import Rejection

# No more of a chunk's batches have spans than the queue of what waits to be sent has room for: 2,048 spans by default.
CHUNK_BATCHES_MAX = 500
FLUSH_TIMEOUT_S = 3.0

log = structlog.get_logger(__name__)


class TracesMisconfigured(Failure):
    """OpenTelemetry's own variables have values that it cannot use."""

    exit_code: ClassVar[int] = 2


def sending_to(endpoint: str) -> BatchSpanProcessor:
    """What sends spans to *endpoint*, in a thread of its own, from a queue that is bounded.

    All else is told by the environment: `OTEL_EXPORTER_OTLP_…` and `OTEL_BSP_…`.

    Raises:
        TracesMisconfigured: What is told there cannot be.
    """
    try:
        return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
    except ValueError as error:
        raise TracesMisconfigured(f"traces_endpoint, and the variables OTEL_* beside it: {error}") from error


class Traces:
    """Makes spans of what lanes have delivered, in the name of the group *group_id*."""

    def __init__(self, processor: SpanProcessor, *, group_id: str) -> None:
        self._processor = processor
        self._group_id = group_id
        named = {"service.name": "batchsum", "service.version": version("batchsum")}
        self._resource = Resource.create({**named, **OTELResourceDetector().detect().attributes})
        self._scope = InstrumentationScope("batchsum", version("batchsum"))

    def delivered(self, chunk: Chunk, processed: Processed) -> None:
        """Hand over the spans of *chunk*, whose outcomes are durable now."""
        if not processed.traced:
            return
        road = _road(chunk)
        for offset, traceparent in islice(processed.traced.items(), CHUNK_BATCHES_MAX):
            parent = trace.parse(traceparent)
            if parent is not None:
                for span in self._spans(chunk, offset, parent, road, processed.rejections.get(offset)):
                    self._processor.on_end(span)
        metrics.UNTRACED.inc(max(0, len(processed.traced) - CHUNK_BATCHES_MAX))

    async def close(self) -> None:
        """Send what waits to be sent; what that takes longer than `FLUSH_TIMEOUT_S` for is dropped."""
        # The processor would wait for half a minute. So it does that in a thread which keeps nobody from ending.
        flushing = threading.Thread(target=self._processor.shutdown, name="flush-traces", daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, FLUSH_TIMEOUT_S)
        if flushing.is_alive():
            log.warning("spans dropped", reason=f"not sent within {FLUSH_TIMEOUT_S:g} s")

    def _spans(
        self, chunk: Chunk, offset: int, parent: trace.Parent, road: Sequence["Part"], rejection: Rejection | None
    ) -> Iterator[ReadableSpan]:
        """That of one batch, and those of its parts."""
        theirs = _context(parent, parent.span_id, is_remote=True)
        ours = _context(parent, trace.span_id(self._group_id, source(chunk) % offset))
        attributes, status = self._place(chunk, offset), Status()
        if rejection is not None:
            attributes["error.type"] = rejection.code.value
            status = Status(StatusCode.ERROR, rejection.code.value)
        whole, *parts = road
        yield self._span(whole, ours, theirs, kind=SpanKind.CONSUMER, attributes=attributes, status=status)
        for part in parts:
            yield self._span(part, _context(parent, random.getrandbits(64) or 1), ours)

    def _place(self, chunk: Chunk, offset: int) -> dict[str, AttributeValue]:
        """Where a request stands, by the names that OpenTelemetry has for that."""
        return {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": chunk.topic,
            "messaging.destination.partition.id": str(chunk.partition),
            "messaging.kafka.offset": offset,
            "messaging.consumer.group.name": self._group_id,
        }

    def _span(
        self,
        part: "Part",
        context: SpanContext,
        parent: SpanContext,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, AttributeValue] | None = None,
        status: Status = Status(),  # noqa: B008 - it cannot be changed
    ) -> ReadableSpan:
        return ReadableSpan(
            part.name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=kind,
            status=status,
            start_time=part.start_ns,
            end_time=part.end_ns,
            instrumentation_scope=self._scope,
        )


class Part(NamedTuple):
    """A part of a chunk's road, and when it began and ended, in nanoseconds since the epoch."""

    name: str
    start_ns: int
    end_ns: int


def _road(chunk: Chunk) -> list[Part]:
    """The whole of it, and then its parts. The batches of a chunk have been on it together."""
    times, epoch_ns = chunk.times, time.time_ns() - time.monotonic_ns()
    stations = (
        ("batchsum process", chunk.fetched_at, times.durable),
        ("queue", chunk.fetched_at, times.began),
        ("compute", times.began, times.ended),
        ("publish", times.publishing, times.durable),
    )
    return [
        Part(name, epoch_ns + int(since * 1e9), epoch_ns + int(until * 1e9))
        for name, since, until in stations
        if since is not None and until is not None
    ]


def _context(parent: trace.Parent, span_id: int, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(parent.trace_id, span_id, is_remote=is_remote, trace_flags=TraceFlags(parent.flags))
