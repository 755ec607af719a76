"""Metrics: those that are documented and no others, counted once a chunk."""

import re
from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from consumer import metrics
from consumer.http.gauges import Exposition
from consumer.metrics import REGISTRY, Counted
from domain.batch import Code
from tests.support.http import serving
from tests.support.instance import FakeInstance
from tests.support.records import chunk_of, processed

DOCUMENTED = Path(__file__).parents[3] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(batchsum_\w+)(?:\{(.*)\})?` \| (\w+) \|", re.MULTILINE)


def test_what_is_exposed_is_what_is_documented() -> None:
    documented = {
        (name.removesuffix("_total"), kind, tuple(filter(None, labels.split(","))))
        for name, labels, kind in ROW.findall(DOCUMENTED.read_text())
    }
    exposed = {
        (metric.name, metric.type, _labels(metric.samples[0].labels) if metric.samples else _declared(metric.name))
        for metric in Exposition(FakeInstance()).collect()
        if metric.name.startswith("batchsum_")
    }
    assert exposed == documented


def test_a_chunk_is_counted_with_its_outcomes() -> None:
    def read(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"batchsum_{name}", labels) or 0.0

    names = (
        "records_total",
        "integers_total",
        "bytes_total",
        "results_total",
        "chunk_records_count",
        "compute_seconds_count",
    )
    before = {name: read(name) for name in names}
    rejected = read("rejections_total", code=Code.INVALID_JSON)
    chunk = chunk_of([b"12345", b"no JSON"])
    chunk.times.began, chunk.times.ended = chunk.fetched_at, chunk.fetched_at + 0.25
    Counted().delivered(chunk, replace(processed(2, 1), integers=4))
    assert {name: read(name) - before[name] for name in names} == {
        "records_total": 2,
        "integers_total": 4,
        "bytes_total": chunk.size_bytes,
        "results_total": 1,
        "chunk_records_count": 1,
        "compute_seconds_count": 1,
    }
    assert read("rejections_total", code=Code.INVALID_JSON) == rejected + 1


async def test_they_are_told_in_the_format_that_is_asked_for() -> None:
    async with serving(FakeInstance()) as client:
        plain = await client.get("/metrics")
        open_metrics = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert plain.headers["content-type"].startswith("text/plain")
    assert any(family.name == "batchsum_lag_records" for family in text_string_to_metric_families(plain.text))
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")


async def test_requests_are_counted_by_route_and_whatever_is_no_route_is_one() -> None:
    def asked(route: str, status: str) -> float:
        return REGISTRY.get_sample_value("batchsum_http_requests_total", {"route": route, "status": status}) or 0.0

    livez, strange = asked("/livez", "200"), asked("none", "404")
    async with serving(FakeInstance()) as client:
        await client.get("/livez")
        for number in range(3):
            await client.get(f"/nowhere/{number}")
    assert asked("/livez", "200") == livez + 1
    assert asked("none", "404") == strange + 3


def _labels(labels: dict[str, str]) -> tuple[str, ...]:
    return tuple(name for name in labels if name != "le")


def _declared(name: str) -> tuple[str, ...]:
    (labels,) = (metric._labelnames for metric in vars(metrics).values() if getattr(metric, "_name", None) == name)
    return tuple(labels)
