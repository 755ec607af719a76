"""What is read from the instance when somebody asks for metrics."""

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from prometheus_client.core import GaugeMetricFamily, Metric

from consumer.http.instance import Instance
from consumer.metrics import REGISTRY
from consumer.snapshot import LaneState, Snapshot


class Exposition:
    """All metrics of the process, and those of *instance* as they are when they are collected."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def collect(self) -> Iterator[Metric]:
        """Every metric, with its samples."""
        yield from REGISTRY.collect()
        snapshot = self._instance.snapshot()
        yield from _lag(snapshot.lanes)
        yield from _work(snapshot)
        yield _gauge("ready", "1 while /readyz answers 200", not any(self._instance.health.readiness().values()))
        build = GaugeMetricFamily("batchsum_build_info", "always 1", labels=["version", "python"])
        build.add_metric([version("batchsum"), platform.python_version()], 1)
        yield build


def _lag(lanes: Sequence[LaneState]) -> Iterator[Metric]:
    records = GaugeMetricFamily("batchsum_lag_records", "records that are not done", labels=["partition"])
    seconds = GaugeMetricFamily("batchsum_lag_seconds", "age of the oldest of them", labels=["partition"])
    for lane in lanes:
        records.add_metric([str(lane.partition)], lane.lag)
        seconds.add_metric([str(lane.partition)], lane.oldest_s or 0.0)
    yield records
    yield seconds
    yield _gauge("partitions", "partitions that this instance has", len(lanes))


def _work(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge("in_flight_chunks", "chunks between fetch and done", snapshot.in_flight_chunks)
    yield _gauge("in_flight_chunks_max", "and their bound", snapshot.in_flight_chunks_max)
    yield _gauge("in_flight_bytes", "bytes of those chunks", snapshot.in_flight_bytes)
    yield _gauge("in_flight_bytes_max", "and their bound", snapshot.in_flight_bytes_max)
    yield _gauge("workers", "worker processes", len(snapshot.workers))
    busy = sum(worker.at is not None for worker in snapshot.workers)
    yield _gauge("workers_busy", "those of them that are at a chunk", busy)


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"batchsum_{name}", says, value=value)
