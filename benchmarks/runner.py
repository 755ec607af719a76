"""The run: one broker, the systems in turn, round after round, and what came of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from confluent_kafka import libversion

from benchmarks import latency, limits
from benchmarks.alone import WorkersAlone, workers_alone
from benchmarks.broker import PARTITIONS, Stage, production_broker
from benchmarks.document import Kept, Row
from benchmarks.drain import Drain, drain
from benchmarks.fetching import Fetched, fetched
from benchmarks.latency import Latency
from benchmarks.machine import busy, machine, memory_bound_mib
from benchmarks.method import METHOD
from benchmarks.plan import LATE, Plan, Step
from benchmarks.profiles import PROFILES, Profile
from benchmarks.systems import OURS, WORKERS, System
from benchmarks.turns import Contender, Figures, in_turn, say

LOAD_SHARE = 0.5
TOOL_RECORDS = 2_000_000
TOOL_RECORD_BYTES = 60
ONE_CORE_ROUNDS = 15


def run(plan: Plan, into: Path) -> None:
    """Measure all that *plan* says, and keep it in the file *into*. A system that fails is reported, and left out."""
    busy_share = busy()
    with production_broker() as kafka:
        stage = Stage(kafka)
        head = {
            "plan": plan.name,
            "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "machine": machine(kafka.description),
            "method": METHOD,
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

    def all(self) -> None:
        """Every step of the plan, its figures kept as soon as it is done."""
        steps = self._plan.steps
        for number, step in enumerate(steps, 1):
            say(f"step {number} of {len(steps)}: {step.title}, about {self._plan.expected_s(step) / 60:.1f} min")
            self._kept.add(self._figures_of(step))
            if not any(later.is_drained and later.profile is step.profile for later in steps[number:]):
                self._stage.drop_backlogs()
        self._kept.finish()

    def _figures_of(self, step: Step) -> Row:
        if step.kind == "limits":
            return {"limits": self._limits()}
        ends_at = time.monotonic() + self._plan.expected_s(step) * LATE
        return in_turn(step, [self._contender(step, system) for system in step.systems], ends_at=ends_at)

    def _contender(self, step: Step, system: System) -> Contender:
        def measure() -> Sequence[Figures]:
            match step.kind:
                case "under_load":
                    return self._under_load(step.profile, system)
                case "alone":
                    return [latency.alone(self._stage, system, step.profile, samples=self._plan.samples)]
                case _:
                    return [self._drain(step.profile, system)]

        rounds = step.rounds_of(system)
        yardsticks = self._yardsticks(step) if system is OURS else ()
        return Contender(step.kind, system.name, system.title, system.version, rounds, measure, yardsticks)

    def _yardsticks(self, step: Step) -> Sequence[Contender]:
        def yardstick(kind: str, name: str, title: str, measure: Callable[[], Figures]) -> Contender:
            return Contender(kind, name, title, "", step.rounds, lambda: [measure()])

        match step.kind:
            case "drains":
                alone = f"the worker's function alone, {WORKERS} processes, no Kafka"
                fetching = f"librdkafka {libversion()[0]}, fetching alone"
                return (
                    yardstick("workers_alone", "workers-alone", alone, lambda: self._workers_alone(step)),
                    yardstick("fetched", "librdkafka", fetching, lambda: self._fetched(step)),
                )
            case "alone":
                nothing = "an empty produce and fetch, nobody between"
                return (yardstick("nothing_between", "nobody", nothing, lambda: self._nothing_between(step)),)
            case _:
                return ()

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

    def _under_load(self, profile: Profile, system: System) -> Sequence[Latency]:
        rows = self._kept.rows("drains")
        drained = {(row["profile"], row["system"]): row["batches_per_s"]["median"] for row in rows}
        spells = latency.Spells(
            # The service in other ways bears no more.
            saturating_per_s=drained.get((profile.name, system.name), drained[profile.name, OURS.name]),
            saturating_seconds=self._plan.saturating_seconds * self._plan.share,
            share=LOAD_SHARE,
            times=self._plan.load_spells,
            seconds=self._plan.spell_seconds * self._plan.share,
        )
        return latency.under_load(self._stage, system, profile, spells)

    def _workers_alone(self, step: Step) -> WorkersAlone:
        seconds = self._plan.alone_seconds * self._plan.share
        return workers_alone(step.profile, processes=WORKERS, seconds=seconds)

    def _fetched(self, step: Step) -> Fetched:
        return fetched(self._stage, step.profile, self._backlogs[step.profile.name, OURS.name])

    def _nothing_between(self, step: Step) -> Latency:
        return latency.nothing_between(self._stage, step.profile, samples=self._plan.samples)

    def _limits(self) -> Row:
        records = int(TOOL_RECORDS * self._plan.share)
        small = PROFILES["small"]
        say("the worker's function against pydantic and sum, one core")
        one_core = limits.one_core(rounds=ONE_CORE_ROUNDS)
        say("Kafka's ProducerPerformance and ConsumerPerformance")
        producer = limits.producer_performance(self._stage, records=records, record_bytes=TOOL_RECORD_BYTES)
        backlog = max(8, int(small.backlogs.shown * self._plan.share))
        topic = self._stage.backlog(small, backlog)
        consumer = limits.consumer_performance(self._stage, topic, records=backlog)
        tools = {"producer_performance": asdict(producer), "consumer_performance": asdict(consumer)}
        return {"one_core": asdict(one_core), **tools}
