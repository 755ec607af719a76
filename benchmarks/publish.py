"""Where a run's figures are shown: the report with its picture, and a section of the README. Made of its document alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bars import TIMES, Bar, bars
from benchmarks.document import Document, median
from benchmarks.plot import plot
from benchmarks.profiles import PROFILES
from benchmarks.report import report, reservations
from benchmarks.sizing import sizes
from benchmarks.tables import number, table

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "latest.json"
README = ROOT / "README.md"
REPORT = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "benchmarks.svg"
SIZING = ROOT / "docs" / "sizing.md"

NOT_YET = "Not measured yet: `make bench` does it, on a machine that does nothing else, and writes the figures here."


def rendered(document: Document | None) -> Mapping[Path, str | None]:
    """Each file, and what is to stand in it; None: it is not to be there, because nothing has been measured."""
    return {
        README: _filled(README, "figures", None if document is None else figures(document)),
        SIZING: _filled(SIZING, "sizes", None if document is None else sizes(document)),
        REPORT: None if document is None else report(document, plot=PICTURE.name),
        PICTURE: None if document is None else plot(document),
    }


def _filled(file: Path, name: str, section: str | None) -> str:
    """What *file* says, with *section* in its place."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = file.read_text().partition(begin)
    _, _, after = rest.partition(end)
    if not after:
        raise RuntimeError(f"{file.name} has no place for {name}, between {begin} and {end}")
    return f"{before}{begin}\n{section or NOT_YET}\n{end}{after}"


def publish(document: Document) -> None:
    """Write all of it."""
    for file, text in rendered(document).items():
        if text is not None:
            file.write_text(text)
            print(f"written: {file.relative_to(ROOT)}")


def figures(document: Document) -> str:
    """The README's section: the picture, the rates at a glance, what was promised of the rest, and what was missed."""
    picture, page = PICTURE.relative_to(ROOT), REPORT.relative_to(ROOT)
    machine = document["machine"]
    shapes = "; ".join(f"{profile.name}, {profile.says}" for profile in PROFILES.values())
    caption = (
        f"Batches a second, and in brackets how many times as many batchsum does, on {machine['processor']};"
        f" {machine['broker']}. Profiles: {shapes}.{reservations(document)}"
    )
    more = (
        f"`make bench` repeats it in {document['minutes']:.0f} minutes, `make bench-quick` a part in under five."
        f" [{page}]({page}) has all of it, with versions, spread, processor time, memory and limits."
    )
    return "\n\n".join(
        (
            f"![Batches per second, by system and profile]({picture})",
            caption,
            _rates(document),
            _rest(document),
            *_bars(bars(document)),
            more,
        )
    )


def _bars(judged: Sequence[Bar]) -> Iterator[str]:
    """How many promises are kept, which are not, and what stands in their way."""
    measured = [bar for bar in judged if bar.measured is not None]
    missed = [bar for bar in measured if bar.verdict != "met"]
    yield f"Of {len(measured)} bars that were set before measuring, {len(measured) - len(missed)} are met."
    if missed:
        rows = ([bar.promise, bar.bound, bar.found, bar.best] for bar in missed)
        yield table([["missed", "bar", "measured", "the limit here"], *rows])


def _rates(document: Document) -> str:
    drains = document.get("drains", ())
    profiles = [name for name in PROFILES if any(row["profile"] == name for row in drains)]
    titles = {row["system"]: row["title"] for row in drains if row["system"] != "echo"}
    ours = [_rate(document, profile, "batchsum") for profile in profiles]
    rows = [["", *profiles]]
    quickest_first = sorted(titles.items(), key=lambda named: -(_rate(document, profiles[0], named[0]) or 0.0))
    for system, title in quickest_first:
        cells = [_rate(document, profile, system) for profile in profiles]
        rows.append([title, *(_against(mine, theirs) for mine, theirs in zip(ours, cells, strict=True))])
    return table(rows)


def _rate(document: Document, profile: str, system: str) -> float | None:
    return median(document, "drains", profile, system, "batches_per_s")


def _against(ours: float | None, theirs: float | None) -> str:
    if theirs is None:
        return ""
    return f"**{number(theirs)}**" if ours in {None, theirs} else f"{number(theirs)} ({number(ours / theirs)} {TIMES})"


def _rest(document: Document) -> str:
    """What is promised beside rates, in a line each."""
    wanted: Mapping[str, tuple[str, str, str, str]] = {
        "a lone batch on an idle service, produce to result, p50": ("alone", "small", "p50_ms", "ms"),
        "small batches at half the saturated rate, p99": ("under_load", "small", "p99_ms", "ms"),
        "start to first result, broker up": ("drains", "small", "first_result_s", "s"),
        "memory at its peak, parent and workers, with a backlog of small batches": (
            "drains",
            "small",
            "memory_peak_mib",
            "MiB",
        ),
        "and of large ones": ("drains", "large", "memory_peak_mib", "MiB"),
    }
    lines = []
    for title, (kind, profile, figure, unit) in wanted.items():
        value = median(document, kind, profile, "batchsum", figure)
        if value is not None:
            lines.append([title, f"{number(value)} {unit}"])
    return table([["", ""], *lines])
