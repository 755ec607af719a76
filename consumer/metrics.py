"""What is counted and timed, by the names of docs/metrics.md; once a chunk at most, never once a record.

They are the process's, as is usual with this library: several instances in one process would share them. What can be
read from the instance when somebody asks is not kept here, but in `consumer.http.gauges`.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from consumer.chunk import Chunk, Processed
from domain.batch import Code

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

# From well below a lone small batch's time to above the default time limit of a chunk.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
BYTES = tuple(4**power for power in range(4, 14))  # 256 B to 64 MiB


def _counter(name: str, says: str, *labels: str) -> Counter:
    return Counter(f"batchsum_{name}", says, labels, registry=REGISTRY)


def _histogram(name: str, says: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"batchsum_{name}", says, buckets=buckets, registry=REGISTRY)


RECORDS_DONE = _counter("records", "requests whose outcome is durable")
INTEGERS = _counter("integers", "integers of the batches that were answered with their sums")
BYTES_DONE = _counter("bytes", "bytes of the record batches in which those requests stood, once decompressed")
RESULTS = _counter("results", "batches answered with their sums")
REJECTIONS = _counter("rejections", "batches that could not be processed", "code")
CHUNK_RECORDS = _histogram("chunk_records", "records of a chunk", RECORDS)
CHUNK_BYTES = _histogram("chunk_bytes", "bytes of a chunk", BYTES)
QUEUE_SECONDS = _histogram("queue_seconds", "from a chunk's fetch to when a worker begins it", SECONDS)
COMPUTE_SECONDS = _histogram("compute_seconds", "a worker's time for a chunk", SECONDS)
PUBLISH_SECONDS = _histogram("publish_seconds", "from the first record sent of a chunk until all are durable", SECONDS)
COMMIT_SECONDS = _histogram("commit_seconds", "an offset commit, or the commit of a transaction", SECONDS)
CHUNK_SECONDS = _histogram("chunk_seconds", "from a chunk's fetch until its outcomes are durable", SECONDS)

WORKER_REBUILDS = _counter("worker_rebuilds", "times that all workers were replaced")
QUARANTINES = _counter("quarantines", "chunks that were run alone to find the batch that brings its worker down")
CHUNK_TIMEOUTS = _counter("chunk_timeouts", "chunks that were given up after chunk_timeout_ms")

REBALANCES = _counter("rebalances", "times that partitions were taken away, to be dealt out anew")
DRAINED_CHUNKS = _counter("drained_chunks", "chunks in flight that were finished when their lane was drained")
DROPPED_CHUNKS = _counter("dropped_chunks", "chunks in flight that were not, and will be done again")
COMMITS_REFUSED = _counter("commits_refused", "commits that the group refused")
OFFSETS_LOST = _counter("offsets_lost", "times that the next offset was not in the log")
PRODUCERS_REPLACED = _counter("producers_replaced", "producers given up after a failure", "topic")
LOOP_STALLS = _counter("loop_stalls", "times that the event loop stood still for half a second or more")
UNTRACED = _counter("untraced", "traced batches without spans, because too many were in one chunk")
HTTP_REQUESTS = _counter("http_requests", "requests to the HTTP port", "route", "status")

# A series that appears only with its first event has no rate at that moment: nobody would be called for the first one.
for code in Code:
    REJECTIONS.labels(code)
for topic in ("results", "dead_letters", "transaction"):
    PRODUCERS_REPLACED.labels(topic)


class Counted:
    """Counts what lanes have delivered."""

    def delivered(self, chunk: Chunk, processed: Processed) -> None:
        """Count *chunk*, whose outcomes are durable now."""
        records, rejected = processed.records, len(processed.rejections)
        RECORDS_DONE.inc(records)
        INTEGERS.inc(processed.integers)
        BYTES_DONE.inc(chunk.size_bytes)
        RESULTS.inc(records - rejected)
        for rejection in processed.rejections.values():
            REJECTIONS.labels(rejection.code).inc()
        CHUNK_RECORDS.observe(records)
        CHUNK_BYTES.observe(chunk.size_bytes)
        times = chunk.times
        _observe(QUEUE_SECONDS.observe, chunk.fetched_at, times.began)
        _observe(COMPUTE_SECONDS.observe, times.began, times.ended)
        _observe(PUBLISH_SECONDS.observe, times.publishing, times.durable)
        _observe(CHUNK_SECONDS.observe, chunk.fetched_at, times.durable)


def _observe(observe: Callable[[float], None], since: float | None, until: float | None) -> None:
    if since is not None and until is not None:
        observe(until - since)
