"""The run: one broker, the systems in turn, round after round, and what came of it."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks import latency, limits
from benchmarks.broker import HEAP_MEGABYTES, PARTITIONS, PROPERTIES, Stage
from benchmarks.document import Kept, Row
from benchmarks.drain import Drain, drain
from benchmarks.latency import Latency
from benchmarks.machine import busy, machine, memory_bound_mib
from benchmarks.plan import LATE, Plan, Step
from benchmarks.profiles import PROFILES, Profile
from benchmarks.systems import OURS, WORKERS, System
from tests.support.brokers import ApacheKafka

LOAD_SHARE = 0.5
TOOL_RECORDS = 2_000_000
TOOL_RECORD_BYTES = 60
ONE_CORE_ROUNDS = 5

Figures = TypeVar("Figures", Drain, Latency)


def run(plan: Plan, into: Path) -> None:
    """Measure all that *plan* says, and keep it in the file *into*. A system that fails is reported, and left out."""
    busy_share = busy()
    with ApacheKafka(heap_megabytes=HEAP_MEGABYTES, properties=PROPERTIES) as kafka:
        stage = Stage(kafka)
        head = {
            "plan": plan.name,
            "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "machine": machine(kafka.description),
            "busy_before": busy_share,
            "workers": WORKERS,
            "partitions": PARTITIONS,
            "memory_bound_mib": memory_bound_mib(stage),
        }
        _Run(plan, stage, Kept(into, head)).all()


class _Run:
    def __init__(self, plan: Plan, stage: Stage, kept: Kept) -> None:
        self._plan = plan
        self._stage = stage
        self._kept = kept
        self._backlogs: dict[tuple[str, str], int] = {}
        self._saturated_rates: dict[tuple[str, str], float] = {}

    def all(self) -> None:
        """Every step of the plan, its figures kept as soon as it is done."""
        steps = self._plan.steps
        for number, step in enumerate(steps, 1):
            _say(f"step {number} of {len(steps)}: {step.title}, about {self._plan.expected_s(step) / 60:.1f} min")
            self._kept.add(self._figures_of(step))
            if not any(later.is_drained and later.profile is step.profile for later in steps[number:]):
                self._stage.drop_backlogs()
        self._kept.finish()

    def _figures_of(self, step: Step) -> Row:
        match step.kind:
            case "limits":
                return {"limits": self._limits()}
            case "drains" | "ways":
                return self._rows(step, lambda system: self._drain(step.profile, system))
            case "under_load":
                return self._rows(step, lambda system: self._under_load(step.profile, system))
            case "alone":
                return self._nothing_between(step) | self._rows(step, lambda system: self._alone(step.profile, system))

    def _drain(self, profile: Profile, system: System) -> Drain:
        """Drain a first backlog, to warm up and to see the rate, or one that will take some seconds."""
        plan, backlogs = self._plan, profile.backlogs
        first = max(8, int(getattr(backlogs, system.pace) * plan.share))
        batches = self._backlogs.get((profile.name, system.name), first)
        drained = drain(self._stage, system, profile, batches, timeout_s=plan.timeout_s)
        sized = backlogs.sized(drained.batches_per_s, seconds=plan.drain_seconds * plan.share)
        if system.is_ours and not system.echoes:  # the service in all its ways has the same
            plain = self._backlogs.get((profile.name, OURS.name), 0)
            sized = max(sized, plain, int(backlogs.shown * plan.share))
        self._backlogs.setdefault((profile.name, system.name), max(sized, first // 4))  # the first may have stumbled
        return drained

    def _under_load(self, profile: Profile, system: System) -> Latency:
        rate = self._saturated(profile, system) * LOAD_SHARE
        seconds = self._plan.load_seconds * self._plan.share
        return latency.under_load(self._stage, system, profile, batches_per_s=rate, seconds=seconds)

    def _saturated(self, profile: Profile, system: System) -> float:
        """The rate that *system* can bear from somebody who takes his part of the same cores; measured once."""
        place = (profile.name, system.name)
        if place not in self._saturated_rates:
            rows = [*self._kept.rows("drains"), *self._kept.rows("ways")]
            drained = {(row["profile"], row["system"]): row["batches_per_s"]["median"] for row in reversed(rows)}
            seconds = self._plan.saturating_seconds * self._plan.share
            rate = latency.saturated(self._stage, system, profile, batches_per_s=drained[place], seconds=seconds)
            _say(f"{system.title}: {rate:,.0f} batches/s while they are sent")
            self._saturated_rates[place] = rate
        return self._saturated_rates[place]

    def _alone(self, profile: Profile, system: System) -> Latency:
        return latency.alone(self._stage, system, profile, samples=self._plan.samples)

    def _nothing_between(self, step: Step) -> Row:
        """What the service's own latency is held against, measured right before it."""
        if OURS not in step.systems:
            return {}
        samples = self._plan.samples
        rounds = [latency.nothing_between(self._stage, step.profile, samples=samples) for _ in range(step.rounds)]
        return {"nothing_between": summary(rounds)}

    def _limits(self) -> Row:
        seconds = self._plan.limit_seconds * self._plan.share
        records = int(TOOL_RECORDS * self._plan.share)
        small = PROFILES["small"]
        found: Row = {"workers_alone": {}}
        for profile in PROFILES.values():
            _say(f"the worker's function alone, {profile.name} batches")
            alone = limits.workers_alone(profile, processes=WORKERS, seconds=seconds)
            found["workers_alone"][profile.name] = asdict(alone)
        _say("the worker's function against pydantic and sum, one core")
        found["one_core"] = asdict(limits.one_core(rounds=ONE_CORE_ROUNDS))
        _say("Kafka's ProducerPerformance and ConsumerPerformance")
        producer = limits.producer_performance(self._stage, records=records, record_bytes=TOOL_RECORD_BYTES)
        backlog = max(8, int(small.backlogs.shown * self._plan.share))
        topic = self._stage.backlog(small, backlog)
        consumer = limits.consumer_performance(self._stage, topic, records=backlog)
        return found | {"producer_performance": asdict(producer), "consumer_performance": asdict(consumer)}

    def _rows(self, step: Step, measure: Callable[[System], Figures]) -> Row:
        """A row for each system of *step*: itself, and the summary of each figure over the rounds that count."""
        found: defaultdict[str, list[Figures]] = defaultdict(list)
        failures: dict[str, Row] = {}
        ends_at = time.monotonic() + self._plan.expected_s(step) * LATE
        for number in range(0 if step.is_drained else 1, step.rounds + 1):
            if number > 1 and time.monotonic() > ends_at:
                _say(f"late: round {number} and those after it are left out")
                break
            for system in _rotated(step.systems, number):
                if system.name in failures or number > max(1, step.rounds_of(system)):
                    continue
                try:
                    figures = measure(system)
                except Exception as error:  # noqa: BLE001 - one system's trouble must not cost all others their figures
                    _say(f"{system.title} failed: {error!r}")
                    said = f"{type(error).__name__}: {error}"
                    failures[system.name] = {"system": system.name, "measure": step.title, "error": said}
                    continue
                _say(f"{f'round {number}' if number else 'warm-up'}: {system.title}: {figures.headline}")
                if number:
                    found[system.name].append(figures)
        rows = [
            {
                "system": system.name,
                "title": system.title,
                "version": system.version,
                "profile": step.profile.name,
                "rounds": len(found[system.name]),
                **summary(found[system.name]),
            }
            for system in step.systems
            if found[system.name]
        ]
        return {step.kind: rows, "failures": list(failures.values())}


def summary(rounds: Sequence[Figures]) -> Row:
    """Median, lowest and highest of each figure."""
    values = {field.name: [getattr(figures, field.name) for figures in rounds] for field in fields(rounds[0])}
    return {name: {"median": median(all_), "low": min(all_), "high": max(all_)} for name, all_ in values.items()}


def _rotated(systems: Sequence[System], number: int) -> Sequence[System]:
    """Each round begins with another one, so that nobody always comes after the same neighbour."""
    first = number % len(systems)
    return [*systems[first:], *systems[:first]]


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
