"""The report: tables in Markdown, made of a run's document and nothing else."""

from collections.abc import Iterator, Sequence

from benchmarks.bars import TIMES, Bar, bars
from benchmarks.document import Document, Row, median
from benchmarks.method import REPEAT, VERDICTS
from benchmarks.profiles import PROFILES
from benchmarks.tables import columns, number, spread, table

BUSY_SHARE = 0.1
"""A machine that was busier than that before the first measurement was not measured, but shared."""


def report(document: Document, *, plot: str) -> str:
    """The whole report; *plot* is the picture's file, beside it."""
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "<!-- Written by `make bench` from benchmarks/results/latest.json; changes here are lost. -->",
            "",
            f"![Batches per second, by system and profile]({plot})",
            "",
            f"Measured {document['made']} in {document['minutes']:.0f} minutes.{reservations(document)}",
            "",
            tables(document),
            f"## How it is measured\n\n{document['method']}\n\n{VERDICTS}\n",
            f"## How to repeat it\n\n{REPEAT}",
        ]
    )


def reservations(document: Document) -> str:
    """Why the figures must not be taken for more than they are, as sentences; nothing for those of a whole, quiet run."""
    said = ""
    if not document["finished"]:
        said += " **The run was interrupted: what is missing was not measured.**"
    if document["plan"] != "full":
        said += " **Parts of the benchmark alone were measured.**"
    if (busy := document["busy_before"]) > BUSY_SHARE:
        said += f" **Provisional: the machine was {busy:.0%} busy with other things before the run began.**"
    return said


def tables(document: Document) -> str:
    """All tables for which the run has figures."""
    judged = bars(document)
    drains = document.get("drains", ())
    profiles = [name for name in PROFILES if any(row["profile"] == name for row in drains)]
    sections = [
        ("Machine and versions", _machine(document)),
        ("The bar", _bars(judged)),
        *((f"Backlog drained: {name}, {PROFILES[name].says}", _drains(document, name)) for name in profiles),
        ("The service in other ways: backlog drained, small", _ways(document)),
        *((f"What it takes: {name}", _costs(drains, name)) for name in profiles),
        ("Latency at half of each system's own saturated rate, small", _loaded(document)),
        ("Latency of a lone batch on an idle system, small", _alone(document)),
        ("Limits", _limits(document)),
        ("Failures", _failures(document)),
    ]
    made = ((title, [*content]) for title, content in sections)
    return "\n".join(f"## {title}\n\n{table(rows)}\n" for title, rows in made if len(rows) > 1)


def _machine(document: Document) -> Iterator[Sequence[str]]:
    yield "", ""
    yield from ((name, value) for name, value in document["machine"].items() if value)
    yield "workers and threads, for each system that has them", str(document["workers"])
    titles = {row["title"]: row["version"] for row in document.get("drains", ())}
    yield "versions", "; ".join(f"{title} {version}" for title, version in titles.items())


def _bars(judged: Sequence[Bar]) -> Iterator[Sequence[str]]:
    yield "", "bar", "measured", ""
    for bar in judged:
        verdict = f"**{bar.verdict}**" if bar.verdict == "missed" else bar.verdict
        if bar.verdict == "limit shown":
            verdict = f"**missed**; limit shown: {bar.best} {bar.because}"
        yield bar.promise, bar.bound, bar.found, verdict


def _drains(document: Document, profile: str) -> Iterator[Sequence[str]]:
    yield "system", "batches/s", "lowest to highest", "batchsum is", "integers/s", "backlog", "rounds"
    ours = median(document, "drains", profile, "batchsum", "batches_per_s")
    for row in _quickest_first(document["drains"], profile):
        yield from _drained(row, ours)


def _ways(document: Document) -> Iterator[Sequence[str]]:
    yield (
        "",
        "batches/s",
        "lowest to highest",
        "against the first",
        "CPU s per million",
        "parent's",
        "peak MiB",
        "rounds",
    )
    plain = median(document, "ways", "small", "batchsum", "batches_per_s")
    for row in _plain_first(document.get("ways", ())):
        rate = row["batches_per_s"]
        share = f"{rate['median'] / plain:.2f} {TIMES}" if plain else ""
        cost = columns(row, "cpu_s_per_million", "parent_cpu_s_per_million", "memory_peak_mib")
        yield row["title"], number(rate["median"]), spread(rate), share, *cost, str(row["rounds"])


def _drained(row: Row, ours: float | None) -> Iterator[Sequence[str]]:
    rate = row["batches_per_s"]
    times = f"{number(ours / rate['median'])} {TIMES}" if ours and row["system"] != "batchsum" else ""
    yield (
        row["title"],
        f"**{number(rate['median'])}**",
        spread(rate),
        times,
        *columns(row, "integers_per_s"),
        f"{row['batches']['median']:,.0f}",
        str(row["rounds"]),
    )


def _costs(drains: Sequence[Row], profile: str) -> Iterator[Sequence[str]]:
    yield (
        "system",
        "CPU s per million batches",
        "parent's part",
        "the broker's, beside it",
        "peak MiB",
        "first result s",
    )
    for row in _quickest_first(drains, profile):
        yield (
            row["title"],
            *columns(row, "cpu_s_per_million", "parent_cpu_s_per_million", "broker_cpu_s_per_million"),
            *columns(row, "memory_peak_mib", "first_result_s"),
        )


def _loaded(document: Document) -> Iterator[Sequence[str]]:
    yield (
        "system",
        "batches/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "p99, lowest to highest",
        "load late by ms",
        "slowest to quickest",
        "rounds",
    )
    for row in _plain_first(document.get("under_load", ())):
        figures = columns(row, "batches_per_s", "p50_ms", "p99_ms", "p999_ms")
        yield (
            row["title"],
            *figures,
            spread(row["p99_ms"]),
            *columns(row, "late_max_ms", "unsteadiness"),
            str(row["rounds"]),
        )


def _alone(document: Document) -> Iterator[Sequence[str]]:
    yield "system", "p50 ms", "p99 ms", "p50, lowest to highest"
    for row in (*document.get("nothing_between", ()), *_plain_first(document.get("alone", ()))):
        yield row["title"], *columns(row, "p50_ms", "p99_ms"), spread(row["p50_ms"])


COSTS = {
    "cpu_s_per_million": "CPU s per million",
    "job_cpu_s_per_million": "with its records decoded and answers encoded",
    "sockets_cpu_s_per_million": "requests and answers through a socket",
    "tray_cpu_s_per_million": "requests into a worker's memory",
}


def _limits(document: Document) -> Iterator[Sequence[str]]:
    none = [""] * (1 + len(COSTS))
    yield "limit", "rate a second", "lowest to highest", *COSTS.values()
    for row in (*document.get("workers_alone", ()), *document.get("fetched", ())):
        rate, *used = columns(row, "batches_per_s", *COSTS)
        yield f"{row['title']}: {row['profile']}", rate, spread(row["batches_per_s"]), *used
    limits = document.get("limits")
    if limits is None:
        return
    one = limits["one_core"]
    same = f"{one['verdicts_compared']} verdicts {'identical' if one['verdicts_identical'] else '**different**'}"
    for title, figure in (
        ("the worker's function, one core: large", "process_chunk_per_s"),
        ("simdjson and numpy without proof or answer, one core: large", "unproven_per_s"),
        (f"pydantic and `sum`, one core: large ({same})", "pydantic_and_sum_per_s"),
    ):
        yield title, number(one[figure]), *none
    for name in ("producer_performance", "consumer_performance"):
        tool = limits[name]
        title = "".join(word.capitalize() for word in name.split("_"))
        title = f"Kafka's {title}, small records ({number(tool['mib_per_s'])} MiB/s)"
        yield title, number(tool["records_per_s"]), *none


def _failures(document: Document) -> Iterator[Sequence[str]]:
    yield "system", "measure", "what happened"
    for failure in document["failures"]:
        yield failure["system"], failure["measure"], failure["error"].replace("|", "\\|").replace("\n", " ")[-300:]


def _quickest_first(drains: Sequence[Row], profile: str) -> list[Row]:
    rows = [row for row in drains if row["profile"] == profile]
    return sorted(rows, key=lambda row: -row["batches_per_s"]["median"])


def _plain_first(rows: Sequence[Row]) -> list[Row]:
    """The service as it comes, before itself in other ways and all others."""
    return sorted(rows, key=lambda row: row["system"] != "batchsum")
