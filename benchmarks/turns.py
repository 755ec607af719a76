"""Taking turns: round after round everybody is measured once, and each figure is then told by its median and spread."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from statistics import median
from typing import NamedTuple

from benchmarks.alone import WorkersAlone
from benchmarks.document import Row
from benchmarks.drain import Drain
from benchmarks.fetching import Fetched
from benchmarks.latency import Latency
from benchmarks.plan import Step

Figures = Drain | Latency | WorkersAlone | Fetched


class Contender(NamedTuple):
    """Who is measured in a step. *kind* names the list that its row is kept in; *measure* has the figures of one turn.

    Of a load these are as many as it has spells, and each of them counts as a round.
    *yardsticks* are what its figures are held against: measured right before it in every round, because the speed of a
    machine drifts by more than they are apart.
    """

    kind: str
    name: str
    title: str
    version: str
    rounds: int
    measure: Callable[[], Sequence[Figures]]
    yardsticks: "Sequence[Contender]" = ()


def in_turn(step: Step, contenders: Sequence[Contender], *, ends_at: float) -> Row:
    """The rows of a step; later rounds are left out once *ends_at*, by the monotonic clock, has come."""
    found: defaultdict[Contender, list[Figures]] = defaultdict(list)
    failures: dict[Contender, Row] = {}
    for number in range(1 - step.warm_up_rounds, step.rounds + 1):
        if number > 1 and time.monotonic() > ends_at:
            say(f"late: round {number} and those after it are left out")
            break
        for contender in _order(contenders, number):
            if contender in failures or number > contender.rounds:
                continue
            try:
                measured = contender.measure()
            except Exception as error:  # noqa: BLE001 - one system's trouble must not cost all others their figures
                say(f"{contender.title} failed: {error!r}")
                said = f"{type(error).__name__}: {error}"
                failures[contender] = {"system": contender.name, "measure": step.title, "error": said}
                continue
            for figures in measured:
                say(f"{f'round {number}' if number > 0 else 'warm-up'}: {contender.title}: {_headline(figures)}")
            if number > 0:
                found[contender] += measured
    in_order = [one for contender in contenders for one in (*contender.yardsticks, contender) if one in found]
    return {**_rows(step, {one: found[one] for one in in_order}), "failures": list(failures.values())}


def _headline(figures: Figures) -> str:
    """What to show of a round while others are being measured; lone batches have no rate."""
    rate = f"{figures.batches_per_s:,.0f} batches/s"
    if not isinstance(figures, Latency):
        return rate
    latency = f"p50 {figures.p50_ms:.1f} ms, p99 {figures.p99_ms:.1f} ms"
    return f"{latency}, at {rate}" if figures.batches_per_s else latency


def _order(contenders: Sequence[Contender], number: int) -> Iterator[Contender]:
    """Each round begins with another one, so that nobody always comes after the same neighbour."""
    first = number % len(contenders)
    for contender in (*contenders[first:], *contenders[:first]):
        if number > 0:
            yield from contender.yardsticks
        yield contender


def _rows(step: Step, found: Mapping[Contender, Sequence[Figures]]) -> Row:
    """By kind, a row for each contender: itself, and the summary of each figure over the rounds that count."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for contender, rounds in found.items():
        row = {
            "system": contender.name,
            "title": contender.title,
            "version": contender.version,
            "profile": step.profile.name,
            "rounds": len(rounds),
        }
        rows[contender.kind].append({**row, **summary(rounds)})
    return rows


def summary(rounds: Sequence[Figures]) -> Row:
    """Median, lowest and highest of each figure."""
    values = {field.name: [getattr(figures, field.name) for figures in rounds] for field in fields(rounds[0])}
    return {name: {"median": median(all_), "low": min(all_), "high": max(all_)} for name, all_ in values.items()}


def say(text: str) -> None:
    """Tell whoever watches the run, at once."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
