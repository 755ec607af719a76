"""The first measure: a backlog is there, a system starts, and works it off."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.broker import Stage
from benchmarks.processes import Processes, Sample
from benchmarks.profiles import Profile
from benchmarks.results import Judgement, WrongResult, judge
from benchmarks.systems import System

LOOK_AGAIN_AFTER_S = 0.1
LATE_TIMEOUT_S = 30.0

# What is measured begins when this share of the answers is there: with all caches and compilers warm, for everyone.
WARM_UP_SHARE = 0.25


class TooSlow(RuntimeError):
    """The backlog was not worked off in the time allowed."""


@dataclass(frozen=True, slots=True)
class Drain:
    """One backlog worked off. Rates and processor time leave out the first quarter of the answers."""

    batches: int
    batches_per_s: float
    integers_per_s: float
    cpu_s_per_million: float
    parent_cpu_s_per_million: float
    broker_cpu_s_per_million: float
    first_result_s: float
    last_result_s: float
    memory_peak_mib: float
    memory_peak_first_half_mib: float
    duplicates: int


def drain(stage: Stage, system: System, profile: Profile, batches: int, *, timeout_s: float) -> Drain:
    """Measure *system* once.

    Raises:
        TooSlow: It took longer than *timeout_s*.
        Ended: It crashed.
        WrongResult: It left batches out, or summed wrongly.
    """
    requests = stage.backlog(profile, batches, partitions=system.partitions)
    results = stage.fresh_topic("results")
    broker_cpu_s = stage.cpu_s()
    started_at = time.time()
    try:
        with (
            system.running(stage, requests=requests, results=results) as processes,
            processes.sampled() as samples,
        ):
            wait_for_answers(stage, processes, results, batches, timeout_s=timeout_s)
            last = processes.sample()
            broker_cpu_s = stage.cpu_s() - broker_cpu_s
            judgement = judge_all(stage, processes, results, profile, batches, echoed=system.echoes)
    finally:
        stage.delete(results)
    return _figures(
        judgement,
        [*samples, last],
        batches=batches,
        integers_per_batch=profile.integers(batches) / batches,
        started_at=started_at,
        broker_cpu_s=broker_cpu_s,
    )


def judge_all(
    stage: Stage, processes: Processes, results: str, profile: Profile, batches: int, *, echoed: bool = False
) -> Judgement:
    """The judgement when each batch has its answer; behind duplicates and markers, there may be some still to come.

    Raises:
        WrongResult: Some are wrong, or missing.
    """
    while (judgement := judge(stage, results, profile, batches, echoed=echoed)).missing:
        others = judgement.duplicates + judgement.markers
        if not others:
            raise WrongResult(f"{judgement.missing} of {batches} batches have no answer")
        wait_for_answers(stage, processes, results, batches + others, timeout_s=LATE_TIMEOUT_S)
    return judgement


def wait_for_answers(stage: Stage, processes: Processes, results: str, batches: int, *, timeout_s: float) -> None:
    """Return when *results* has as many records as there are *batches*.

    Raises:
        TooSlow: It took longer than *timeout_s*.
        Ended: The system crashed.
    """
    deadline = time.monotonic() + timeout_s
    while (there := stage.records(results)) < batches:
        processes.check()
        if time.monotonic() > deadline:
            raise TooSlow(f"{there} of {batches} answers in {timeout_s:.0f} s; its log ends: {processes.log_tail()}")
        time.sleep(LOOK_AGAIN_AFTER_S)


def _figures(
    judgement: Judgement,
    samples: Sequence[Sample],
    *,
    batches: int,
    integers_per_batch: float,
    started_at: float,
    broker_cpu_s: float,
) -> Drain:
    arrivals = judgement.arrivals
    since, counted = arrivals.window(skipped=WARM_UP_SHARE)
    until = arrivals.last_s
    middle = (arrivals.first_s + until) / 2
    rate = counted / (until - since)

    def cpu_s_per_million(of: Callable[[Sample], float]) -> float:
        return (at(samples, until, of) - at(samples, since, of)) / counted * 1e6

    return Drain(
        batches=batches,
        batches_per_s=rate,
        integers_per_s=rate * integers_per_batch,
        cpu_s_per_million=cpu_s_per_million(lambda sample: sample.cpu_s),
        parent_cpu_s_per_million=cpu_s_per_million(lambda sample: sample.parent_cpu_s),
        broker_cpu_s_per_million=broker_cpu_s / batches * 1e6,
        first_result_s=arrivals.first_s - started_at,
        last_result_s=until - started_at,
        memory_peak_mib=_peak_mib(samples),
        memory_peak_first_half_mib=_peak_mib([sample for sample in samples if sample.at <= middle]),
        duplicates=judgement.duplicates,
    )


def at(samples: Sequence[Sample], moment: float, of: Callable[[Sample], float]) -> float:
    """What *of* a sample was at *moment*, between two samples in proportion."""
    after = bisect_left(samples, moment, key=lambda sample: sample.at)
    if after == 0:
        return of(samples[0])
    if after == len(samples):
        return of(samples[-1])
    one, other = samples[after - 1], samples[after]
    return of(one) + (of(other) - of(one)) * (moment - one.at) / (other.at - one.at)


def _peak_mib(samples: Sequence[Sample]) -> float:
    return max((sample.memory_bytes for sample in samples), default=0) / 2**20
