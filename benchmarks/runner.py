"""The run: one broker, the systems in turn, round after round, and what came of it as one document."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from statistics import median
from typing import Any, TypeVar

from benchmarks import latency, limits
from benchmarks.broker import HEAP_MEGABYTES, PARTITIONS, PROPERTIES, Stage
from benchmarks.drain import Drain, drain
from benchmarks.latency import Latency
from benchmarks.machine import machine
from benchmarks.plan import Plan
from benchmarks.profiles import PROFILES, Profile
from benchmarks.systems import ECHO, OURS, WORKERS, System
from tests.support.brokers import ApacheKafka

LOAD_SHARE = 0.5
TOOL_RECORDS = 2_000_000
TOOL_RECORD_BYTES = 60
ONE_CORE_ROUNDS = 5

Figures = TypeVar("Figures", Drain, Latency)
Row = dict[str, Any]


def run(plan: Plan) -> Row:
    """Measure all that *plan* says. A system that fails is reported, and left out of what is still to come."""
    with ApacheKafka(heap_megabytes=HEAP_MEGABYTES, properties=PROPERTIES) as kafka:
        return _Run(plan, Stage(kafka)).all()


class _Run:
    def __init__(self, plan: Plan, stage: Stage) -> None:
        self._plan = plan
        self._stage = stage
        self._failures: list[Row] = []

    def all(self) -> Row:
        """Every measure of the plan, as it is written to a file."""
        plan, started_at = self._plan, time.time()
        document: Row = {
            "plan": plan.name,
            "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started_at)),
            "machine": machine(self._stage.kafka.description),
            "rounds": plan.rounds,
            "workers": WORKERS,
            "partitions": PARTITIONS,
            "drains": [],
        }
        if plan.complete:
            document["limits"] = self._limits()
        for profile in plan.profiles:
            document["drains"] += self._drains(profile, plan.systems)
            if plan.complete and profile is PROFILES["small"]:
                document["drains"] += self._drains(profile, [OURS], partitions=1)
                document["consumer_performance"] = self._consumer_performance(profile)
                document["under_load"] = self._under_load(profile, document["drains"])
                document["alone"], document["nothing_between"] = self._alone(profile)
            self._stage.drop_backlogs()
        return document | {"failures": self._failures, "minutes": (time.time() - started_at) / 60}

    def _drains(self, profile: Profile, systems: Sequence[System], *, partitions: int = PARTITIONS) -> list[Row]:
        def measure(system: System) -> Drain:
            batches = self._plan.backlog(system, profile)
            timeout_s = self._plan.drain_timeout_s
            return drain(self._stage, system, profile, batches, timeout_s=timeout_s, partitions=partitions)

        title = f"backlog of {profile.name} batches in {partitions} partitions"
        return self._rows(title, systems, measure, profile=profile.name, partitions=partitions)

    def _under_load(self, profile: Profile, drains: Sequence[Row]) -> list[Row]:
        rates = {row["system"]: row["batches_per_s"]["median"] for row in reversed(drains)}

        def measure(system: System) -> Latency:
            rate = rates[system.name] * LOAD_SHARE
            return latency.under_load(self._stage, system, profile, batches_per_s=rate, seconds=self._plan.load_seconds)

        systems = [system for system in self._plan.systems if system.name in rates and system is not ECHO]
        return self._rows("latency at half the rate", systems, measure, profile=profile.name)

    def _alone(self, profile: Profile) -> tuple[list[Row], Row]:
        samples = self._plan.lone_samples
        nothing = [latency.nothing_between(self._stage, profile, samples=samples) for _ in range(self._plan.rounds)]

        def measure(system: System) -> Latency:
            return latency.alone(self._stage, system, profile, samples=samples)

        systems = [system for system in self._plan.systems if system is not ECHO]
        return self._rows("latency of a lone batch", systems, measure, profile=profile.name), summary(nothing)

    def _limits(self) -> Row:
        seconds = self._plan.limit_seconds
        found: Row = {"workers_alone": {}}
        for profile in self._plan.profiles:
            _say(f"the worker's function alone, {profile.name} batches")
            found["workers_alone"][profile.name] = asdict(
                limits.workers_alone(profile, processes=WORKERS, seconds=seconds)
            )
        _say("the worker's function against pydantic and sum, one core")
        found["one_core"] = asdict(limits.one_core(rounds=ONE_CORE_ROUNDS))
        _say("Kafka's ProducerPerformance")
        found["producer_performance"] = asdict(
            limits.producer_performance(self._stage, records=TOOL_RECORDS, record_bytes=TOOL_RECORD_BYTES)
        )
        return found

    def _consumer_performance(self, profile: Profile) -> Row:
        _say("Kafka's ConsumerPerformance")
        batches = self._plan.backlog(OURS, profile)
        topic = self._stage.backlog(profile, batches)
        return asdict(limits.consumer_performance(self._stage, topic, records=batches))

    def _rows(
        self, title: str, systems: Sequence[System], measure: Callable[[System], Figures], **context: object
    ) -> list[Row]:
        """One row for each of *systems*: itself, the context, and the summary of each figure over the rounds."""
        found: defaultdict[str, list[Figures]] = defaultdict(list)
        failed: set[str] = set()
        for number in range(self._plan.rounds + 1):
            for system in _rotated(systems, number):
                if system.name in failed:
                    continue
                try:
                    figures = measure(system)
                except Exception as error:  # noqa: BLE001 - one system's trouble must not cost all others their figures
                    failed.add(system.name)
                    self._failures.append(
                        {"system": system.name, "measure": title, "error": f"{type(error).__name__}: {error}"}
                    )
                    _say(f"{title}: {system.title} failed: {error!r}")
                    continue
                _say(f"{title}, {f'round {number}' if number else 'warm-up'}: {system.title}: {figures.headline}")
                if number:
                    found[system.name].append(figures)
        return [
            {"system": system.name, "title": system.title, "version": system.version, **context, **summary(measured)}
            for system in systems
            if (measured := found[system.name])
        ]


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
