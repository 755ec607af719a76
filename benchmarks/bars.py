"""The bar: what was promised, what was measured, and whether the one reaches the other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Document = Mapping[str, Any]


TIMES = "×"  # noqa: RUF001 - it is the sign that is meant


class Bar(NamedTuple):
    """One promise. *measured* is None where this run has not looked."""

    promise: str
    limit: float
    measured: float | None
    unit: str = TIMES
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit


AGAINST_ON_SMALL = (
    ("faststream-each", 40.0),
    ("faststream", 40.0),
    ("faust", 40.0),
    ("pool-calls", 40.0),
    ("arroyo", 8.0),
    ("quix", 15.0),
    ("inline", 2.0),
    ("kafka-streams", 1.5),
)
FLAT = 1.1
"""How much the peak of the second half of a run may exceed that of the first, for memory to count as flat."""


def bars(document: Document) -> Sequence[Bar]:
    """Every promise, judged by the figures of *document*."""
    return [*_against_peers(document), *_against_limits(document), *_resources(document), *_latencies(document)]


def _against_peers(document: Document) -> Iterator[Bar]:
    titles = {row["system"]: row["title"] for row in document["drains"]}
    for name, limit in AGAINST_ON_SMALL:
        yield Bar(f"small: against {titles.get(name, name)}", limit, _times(document, "small", name))
    yield Bar("medium: against Kafka Streams", 1.0, _times(document, "medium", "kafka-streams"))


def _against_limits(document: Document) -> Iterator[Bar]:
    alone = document.get("limits", {}).get("workers_alone", {})
    for profile, limit in (("medium", 0.85), ("large", 0.9)):
        ours = drained(document, "batchsum", profile)
        most = alone.get(profile, {}).get("batches_per_s")
        yield Bar(f"{profile}: against the worker's function alone", limit, _ratio(ours, most))
    one_core = document.get("limits", {}).get("one_core", {})
    faster = _ratio(one_core.get("process_chunk_per_s"), one_core.get("pydantic_and_sum_per_s"))
    yield Bar(
        "large, one core: the worker's function against pydantic and `sum`, verdicts identical",
        3.0,
        faster if one_core.get("verdicts_identical", True) else 0.0,
    )
    used = drained(document, "batchsum", "small", "cpu_s_per_million")
    least = alone.get("small", {}).get("cpu_s_per_million")
    yield Bar(
        "small: processor time per batch, against the worker's function alone", 1.6, _ratio(used, least), at_most=True
    )


def _resources(document: Document) -> Iterator[Bar]:
    one = drained(document, "batchsum", "small", partitions=1)
    yield Bar("small: one partition against eight", 0.7, _ratio(one, drained(document, "batchsum", "small")))
    once = drained(document, "exactly-once", "small")
    yield Bar("small: exactly once against at least once", 0.9, _ratio(once, drained(document, "batchsum", "small")))
    for profile in ("small", "large"):
        peak = drained(document, "batchsum", profile, "memory_peak_mib")
        first = drained(document, "batchsum", profile, "memory_peak_first_half_mib")
        promise = f"{profile}: memory, whole run against its first half"
        yield Bar(promise, FLAT, _ratio(peak, first), at_most=True)


def _latencies(document: Document) -> Iterator[Bar]:
    alone = _median(_row(document.get("alone", ()), "batchsum"), "p50_ms")
    nothing = _median(document.get("nothing_between"), "p50_ms")
    yield Bar("a lone batch, p50, against an empty produce and fetch", 3.0, _ratio(alone, nothing), at_most=True)
    loaded = _median(_row(document.get("under_load", ()), "batchsum"), "p99_ms")
    yield Bar("small: p99 at half the saturated rate", 25.0, loaded, unit=" ms", at_most=True)
    first = drained(document, "batchsum", "small", "first_result_s")
    yield Bar("start to first result, broker up", 2.0, first, unit=" s", at_most=True)


def drained(
    document: Document, system: str, profile: str, figure: str = "batches_per_s", *, partitions: int | None = None
) -> float | None:
    """A figure's median from the draining of backlogs; None where there is none."""
    wanted = partitions or document["partitions"]
    rows = [row for row in document["drains"] if row["profile"] == profile and row["partitions"] == wanted]
    return _median(_row(rows, system), figure)


def _times(document: Document, profile: str, opponent: str) -> float | None:
    return _ratio(drained(document, "batchsum", profile), drained(document, opponent, profile))


def _row(rows: Sequence[Document], system: str) -> Document | None:
    return next((row for row in rows if row["system"] == system), None)


def _median(row: Document | None, figure: str) -> float | None:
    return None if row is None else float(row[figure]["median"])


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
