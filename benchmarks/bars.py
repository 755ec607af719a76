"""The bar: what was promised, what was measured, and whether the one reaches the other."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from benchmarks.document import Document, median
from benchmarks.tables import number

TIMES = "×"  # noqa: RUF001 - it is the sign that is meant

Verdict = Literal["met", "missed", "limit shown", "not measured"]


class Bar(NamedTuple):
    """One promise. *measured* is None where this run has not looked.

    *ceiling* is the best that could be done here, by other measurements of the same run, and *because* says which.
    """

    promise: str
    limit: float
    measured: float | None
    unit: str = TIMES
    at_most: bool = False
    ceiling: float | None = None
    because: str = ""

    @property
    def bound(self) -> str:
        """What is asked for, in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.limit:g} {self.unit}"

    @property
    def found(self) -> str:
        """What was measured, in words; nothing where nothing was. What is just missed is not rounded to what is asked for."""
        if self.measured is None:
            return ""
        just_missed = number(self.measured) == number(self.limit) and not self._is_reached_by(self.measured)
        return f"{self.measured:.4g} {self.unit}" if just_missed else f"{number(self.measured)} {self.unit}"

    @property
    def best(self) -> str:
        """The limit, in words, where that is what stands in the way; nothing otherwise."""
        return f"{number(self.ceiling)} {self.unit}" if self.ceiling and self.verdict == "limit shown" else ""

    @property
    def verdict(self) -> Verdict:
        if self.measured is None:
            return "not measured"
        if self._is_reached_by(self.measured):
            return "met"
        return "missed" if self.ceiling is None or self._is_reached_by(self.ceiling) else "limit shown"

    def _is_reached_by(self, figure: float) -> bool:
        return figure <= self.limit if self.at_most else figure >= self.limit


AGAINST_ON_SMALL = (
    ("faststream", 40.0),
    ("faststream-each", 40.0),
    ("faust", 40.0),
    ("pool-calls", 40.0),
    ("quix", 15.0),
    ("arroyo", 8.0),
    ("inline", 2.0),
    ("kafka-streams", 1.5),
)
LEAST = (
    "if only the broker's work and a worker's (decode records, sum, encode answers), the calls that read and write "
    "sockets, and a copy of the requests for the worker, took processor time"
)
"""What the cores do at the rate that `_most` computes."""
FLAT = 1.1
"""How much the peak of a whole run may exceed that of its first half, for memory to count as flat."""


def bars(document: Document) -> Sequence[Bar]:
    """Every promise, judged by the figures of *document*."""
    return [
        *_against_peers(document),
        *_against_limits(document),
        *_against_itself(document),
        *_memory(document),
        *_latencies(document),
    ]


def _against_peers(document: Document) -> Iterator[Bar]:
    titles = {row["system"]: row["title"] for row in document.get("drains", ())}
    for profile, name, limit in (
        *(("small", name, limit) for name, limit in AGAINST_ON_SMALL),
        ("medium", "kafka-streams", 1.0),
    ):
        theirs = _rate(document, profile, name)
        yield Bar(
            f"{profile}: against {titles.get(name, name)}",
            limit,
            _ratio(_rate(document, profile), theirs),
            ceiling=_ratio(_most(document, profile), theirs),
            because=LEAST,
        )


def _against_limits(document: Document) -> Iterator[Bar]:
    for profile, limit in (("medium", 0.85), ("large", 0.9)):
        alone = _alone(document, profile, "batches_per_s")
        yield Bar(
            f"{profile}: against the worker's function alone",
            limit,
            _ratio(_rate(document, profile), alone),
            ceiling=_ratio(_most(document, profile), alone),
            because=LEAST,
        )
    one_core = document.get("limits", {}).get("one_core", {})
    faster = _ratio(one_core.get("process_chunk_per_s"), one_core.get("pydantic_and_sum_per_s"))
    yield Bar(
        "large, one core: the worker's function against pydantic and `sum`, verdicts identical",
        3.0,
        faster if one_core.get("verdicts_identical", True) else 0.0,
        ceiling=_ratio(one_core.get("unproven_per_s"), one_core.get("pydantic_and_sum_per_s")),
        because="if simdjson read the integers and numpy summed them, and nothing were proved and no answer written",
    )
    used = median(document, "drains", "small", "batchsum", "cpu_s_per_million")
    yield Bar(
        "small: processor time of parent and workers, against the worker's function alone",
        1.6,
        _ratio(used, _alone(document, "small", "cpu_s_per_million")),
        at_most=True,
    )


def _against_itself(document: Document) -> Iterator[Bar]:
    plain = median(document, "ways", "small", "batchsum", "batches_per_s")
    for promise, system, limit in (
        ("one partition against eight", "one-partition", 0.7),
        ("exactly once against at least once", "exactly-once", 0.9),
    ):
        other = median(document, "ways", "small", system, "batches_per_s")
        yield Bar(f"small: {promise}", limit, _ratio(other, plain))
    # By processor time, for the rates of two rounds of the same differ by more than is asked about.
    off, on = (median(document, "ways", "small", system, "cpu_s_per_million") for system in ("batchsum", "http"))
    promise = "batches per processor second with the HTTP port on, scraped each second and its page open, against off"
    yield Bar(f"small: {promise}", 0.97, _ratio(off, on))


def _memory(document: Document) -> Iterator[Bar]:
    for profile in ("small", "large"):
        peak, first_half, batches = (
            median(document, "drains", profile, "batchsum", figure)
            for figure in ("memory_peak_mib", "memory_peak_first_half_mib", "batches")
        )
        backlog = f"{profile}: memory at a backlog of {batches or 0:,.0f}"
        yield Bar(f"{backlog}, whole run against its first half", FLAT, _ratio(peak, first_half), at_most=True)
        bound = document.get("memory_bound_mib", 0.0)
        yield Bar(f"{backlog}, against what the settings allow", 1.0, _ratio(peak, bound), at_most=True)


def _latencies(document: Document) -> Iterator[Bar]:
    alone = median(document, "alone", "small", "batchsum", "p50_ms")
    nothing = median(document, "nothing_between", "small", "nobody", "p50_ms")
    without_a_pool = median(document, "alone", "small", "inline", "p50_ms")
    yield Bar(
        "a lone batch, p50, against an empty produce and fetch",
        3.0,
        _ratio(alone, nothing),
        at_most=True,
        ceiling=_ratio(without_a_pool, nothing),
        because="by the same client without a pool: nothing can be isolated there",
    )
    loaded = median(document, "under_load", "small", "batchsum", "p99_ms")
    yield Bar("small: p99 at half the saturated rate", 25.0, loaded, unit="ms", at_most=True)
    first = median(document, "drains", "small", "batchsum", "first_result_s")
    yield Bar("start to first result, broker up", 2.0, first, unit="s", at_most=True)


def _most(document: Document, profile: str) -> float | None:
    """Batches a second if all cores did only what cannot be left out, as `LEAST` says.

    The same cores are the broker's too, and what it uses for a batch was measured while the service drained.
    """
    costs_s = [
        median(document, "drains", profile, "batchsum", "broker_cpu_s_per_million"),
        *(_alone(document, profile, f"{part}_cpu_s_per_million") for part in ("job", "sockets", "tray")),
    ]
    measured_s = [cost_s for cost_s in costs_s if cost_s is not None]
    cores: int = document["workers"]
    return cores * 1e6 / sum(measured_s) if len(measured_s) == len(costs_s) else None


def _rate(document: Document, profile: str, system: str = "batchsum") -> float | None:
    return median(document, "drains", profile, system, "batches_per_s")


def _alone(document: Document, profile: str, figure: str) -> float | None:
    return median(document, "workers_alone", profile, "workers-alone", figure)


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
