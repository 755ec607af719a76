"""The report: tables in Markdown, made of a run's document and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.bars import Bar, bars

Document = Mapping[str, Any]

METHOD = """\
Every system is a process of its own, with the versions above and the settings in `benchmarks/peers/`: what its own
documentation advises for this job, with larger batches where that helped. All do the same: strict validation, exact sums,
the same answer, offsets committed after the answers are published (FastStream record by record excepted: it acknowledges
first). The backlog is in the request topic before a system starts, with a group of its own and an empty result topic, and
the broker's append times in that topic are the clock. A rate leaves out the first quarter of the answers, so that start,
caches and just-in-time compilers count for nobody; processor time is that of the same stretch, of all processes and ended
children. Slower systems are given fewer batches, so that each run takes seconds. Memory is the proportional set size: what
is shared is counted once. After every run all answers are read and compared with the right sums; a wrong or missing one
makes the run a failure. Latency under load is from when a request was due (bursts every 5 ms, to one partition after the
other, that wait for nobody) to when the broker appended the answer; where the load itself was late, the table says so. That
of a lone batch is from a client's `produce` to the answer in its hands; Arroyo's loop waits up to a second for the next
record before each of its steps goes on, so a lone one takes three.
The first round warms the broker up and does not count; figures are medians of the others, with lowest and highest."""


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
            f"`make bench` made this on {document['made']}, in {document['minutes']:.0f} minutes; `make bench-quick`",
            "repeats small and medium against three peers in under five.",
            "",
            tables(document),
            "## How it is measured",
            "",
            METHOD,
            "",
        ]
    )


def tables(document: Document) -> str:
    """All tables for which the run has figures."""
    sections = (
        ("The bar", _bars(bars(document))),
        ("Backlog drained", _drains(document)),
        ("Latency at half of each system's own saturated rate, small", _loaded(document)),
        ("Latency of a lone batch on an idle system, small", _alone(document)),
        ("Limits", _limits(document)),
        ("Failures", _failures(document)),
        ("Machine", [("", ""), *((f"{name}", str(value)) for name, value in document["machine"].items())]),
    )
    return "\n".join(f"## {title}\n\n{_table(rows)}\n" for title, content in sections if len(rows := [*content]) > 1)


def _bars(judged: Sequence[Bar]) -> Iterator[Sequence[str]]:
    yield "", "bar", "measured", ""
    for bar in judged:
        if bar.measured is not None:
            bound = f"{'at most' if bar.at_most else 'at least'} {bar.limit:g}{bar.unit}"
            yield bar.promise, bound, f"{_number(bar.measured)}{bar.unit}", "met" if bar.met else "**not met**"


def _drains(document: Document) -> Iterator[Sequence[str]]:
    yield (
        *("profile", "system", "version", "batches", "batches/s", "lowest to highest", "integers/s"),
        *("CPU s per million", "broker's", "peak MiB", "first result s"),
    )
    for row in document["drains"]:
        one = "" if row["partitions"] == document["partitions"] else f", {row['partitions']} partition"
        rate = row["batches_per_s"]
        yield (
            row["profile"] + one,
            row["title"],
            row["version"],
            f"{row['batches']['median']:,.0f}",
            f"**{_number(rate['median'])}**",
            _spread(rate),
            _number(row["integers_per_s"]["median"]),
            *(_middle(row, name) for name in ("cpu_s_per_million", "broker_cpu_s_per_million", "memory_peak_mib")),
            _middle(row, "first_result_s"),
        )


def _loaded(document: Document) -> Iterator[Sequence[str]]:
    yield "system", "batches/s", "p50 ms", "p99 ms", "p99.9 ms", "p99, lowest to highest", "load late by ms"
    for row in document.get("under_load", ()):
        figures = [_middle(row, name) for name in ("batches_per_s", "p50_ms", "p99_ms", "p999_ms")]
        yield row["title"], *figures, _spread(row["p99_ms"]), _middle(row, "late_max_ms")


def _alone(document: Document) -> Iterator[Sequence[str]]:
    yield "system", "p50 ms", "p99 ms", "p50, lowest to highest"
    rows = document.get("alone", ())
    if rows:
        nothing = {"title": "an empty produce and fetch, nobody between", **document["nothing_between"]}
        for row in (nothing, *rows):
            yield row["title"], _middle(row, "p50_ms"), _middle(row, "p99_ms"), _spread(row["p50_ms"])


def _limits(document: Document) -> Iterator[Sequence[str]]:
    yield "limit", "rate a second", "CPU s per million"
    limits = document.get("limits")
    if limits is None:
        return
    for profile, alone in limits["workers_alone"].items():
        yield (
            f"the worker's function alone, {alone['processes']} processes, no Kafka: {profile}",
            _number(alone["batches_per_s"]),
            _number(alone["cpu_s_per_million"]),
        )
    one = limits["one_core"]
    yield "the worker's function, one core: large", _number(one["process_chunk_per_s"]), ""
    same = f"{one['verdicts_compared']} verdicts {'identical' if one['verdicts_identical'] else '**different**'}"
    yield f"pydantic and `sum`, one core: large ({same})", _number(one["pydantic_and_sum_per_s"]), ""
    tools = (("ProducerPerformance", limits["producer_performance"]), ("ConsumerPerformance", _consumer(document)))
    for name, tool in tools:
        yield f"Kafka's {name}, small records ({_number(tool['mib_per_s'])} MiB/s)", _number(tool["records_per_s"]), ""


def _consumer(document: Document) -> Document:
    performance: Document = document["consumer_performance"]
    return performance


def _failures(document: Document) -> Iterator[Sequence[str]]:
    yield "system", "measure", "what happened"
    for failure in document["failures"]:
        yield failure["system"], failure["measure"], failure["error"].replace("|", "\\|").replace("\n", " ")[-300:]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _middle(row: Document, figure: str) -> str:
    return _number(row[figure]["median"])


def _spread(figure: Document) -> str:
    return f"{_number(figure['low'])} to {_number(figure['high'])}"


def _number(value: float) -> str:
    """Three digits that matter, and thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
