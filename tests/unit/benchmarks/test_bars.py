"""What was promised is judged by what was measured, and by nothing else."""

from typing import Any

import pytest

from benchmarks.bars import TIMES, Bar, bars


def figure(value: float) -> dict[str, float]:
    return {"median": value, "low": value, "high": value}


def drained(system: str, batches_per_s: float, *, profile: str = "small", broker_cpu_s: float = 1.0) -> dict[str, Any]:
    return {
        "system": system,
        "title": system,
        "profile": profile,
        "batches": figure(1_000_000),
        "batches_per_s": figure(batches_per_s),
        "cpu_s_per_million": figure(6.0),
        "broker_cpu_s_per_million": figure(broker_cpu_s),
        "memory_peak_mib": figure(220.0),
        "memory_peak_first_half_mib": figure(200.0),
        "first_result_s": figure(1.5),
    }


def working_alone(profile: str, *, sockets_cpu_s: float, tray_cpu_s: float) -> dict[str, Any]:
    """Workers with no Kafka: a million batches a second, and a second of their time for all of the job."""
    return {
        "system": "workers-alone",
        "profile": profile,
        "batches_per_s": figure(1_000_000),
        "cpu_s_per_million": figure(1.0),
        "job_cpu_s_per_million": figure(1.0),
        "sockets_cpu_s_per_million": figure(sockets_cpu_s),
        "tray_cpu_s_per_million": figure(tray_cpu_s),
    }


def document(*rows: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"workers": 2, "drains": rows, **others}


def bar(promise: str, *rows: dict[str, Any], **others: Any) -> Bar:
    return next(bar for bar in bars(document(*rows, **others)) if promise in bar.promise)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {bar.verdict for bar in bars(document())} == {"not measured"}


@pytest.mark.parametrize(("ours", "verdict"), [(80_000, "met"), (79_999, "missed")])
def test_a_ratio_is_ours_to_theirs(ours: float, verdict: str) -> None:
    judged = bar("against Arroyo", drained("batchsum", ours), {**drained("arroyo", 10_000), "title": "Arroyo"})
    assert (judged.measured, judged.verdict) == (ours / 10_000, verdict)


@pytest.mark.parametrize(
    ("broker_cpu_s", "sockets_cpu_s", "tray_cpu_s", "verdict"),
    [
        (1.0, 1.0, 1.0, "missed"),
        (4.0, 1.0, 1.0, "limit shown"),
        (1.0, 4.0, 1.0, "limit shown"),
        (1.0, 1.0, 4.0, "limit shown"),
    ],
)
def test_a_missed_ratio_shows_its_limit_only_where_the_machine_could_not_have_reached_it(
    broker_cpu_s: float, sockets_cpu_s: float, tray_cpu_s: float, verdict: str
) -> None:
    """Two cores, and for a million batches 1 s of work: with 1 s of each of the others 500,000 a second, with 4 s of one 286,000."""
    rows = (drained("batchsum", 250_000, broker_cpu_s=broker_cpu_s), drained("faust", 10_000))
    alone = working_alone("small", sockets_cpu_s=sockets_cpu_s, tray_cpu_s=tray_cpu_s)
    assert bar("against faust", *rows, workers_alone=[alone]).verdict == verdict


@pytest.mark.parametrize(("profile", "most_s"), [("medium", 0.25), ("large", 0.12)])
@pytest.mark.parametrize(("more_s", "verdict"), [(-0.01, "missed"), (0.01, "limit shown")])
def test_what_is_held_against_the_function_alone_shows_its_limit_only_where_bare_sockets_take_too_long(
    profile: str, most_s: float, more_s: float, verdict: str
) -> None:
    """Two cores, and for a million batches 2.1 s of all else: of the function's 1,000,000 a second 0.85 leave 0.25 s, 0.9 0.12 s."""
    alone = working_alone(profile, sockets_cpu_s=most_s + more_s, tray_cpu_s=0.1)
    row = drained("batchsum", 800_000, profile=profile)
    assert bar(f"{profile}: against the worker's", row, workers_alone=[alone]).verdict == verdict


def test_what_may_be_at_most_is_missed_above_it() -> None:
    assert bar("first half", drained("batchsum", 1.0)).verdict == "met"  # 1.1 of 1.1
    assert bar("first result", {**drained("batchsum", 1.0), "first_result_s": figure(2.1)}).verdict == "missed"
    assert bar("settings allow", drained("batchsum", 1.0), memory_bound_mib=219.0).verdict == "missed"


@pytest.mark.parametrize(("without_a_pool", "verdict"), [(2.9, "missed"), (3.1, "limit shown")])
def test_a_lone_batch_that_is_late_shows_how_late_it_is_without_a_pool(without_a_pool: float, verdict: str) -> None:
    alone = [
        {"system": system, "profile": "small", "p50_ms": figure(p50_ms)}
        for system, p50_ms in (("batchsum", 3.5), ("inline", without_a_pool))
    ]
    nothing = {"system": "nobody", "profile": "small", "p50_ms": figure(1.0)}
    assert bar("a lone batch", alone=alone, nothing_between=[nothing]).verdict == verdict


def test_different_verdicts_of_the_two_sums_are_worth_nothing_however_quick() -> None:
    one_core = {"process_chunk_per_s": 9.0, "pydantic_and_sum_per_s": 1.0}
    judged = [
        bar("one core", limits={"one_core": {**one_core, "verdicts_identical": same}}).verdict for same in (True, False)
    ]
    assert judged == ["met", "missed"]


@pytest.mark.parametrize(
    ("unproven_per_s", "verdict", "best"), [(3.1, "missed", ""), (2.9, "limit shown", f"2.90 {TIMES}")]
)
def test_the_function_need_not_beat_reading_and_summing_without_a_proof(
    unproven_per_s: float, verdict: str, best: str
) -> None:
    one_core = {"process_chunk_per_s": 2.5, "pydantic_and_sum_per_s": 1.0, "unproven_per_s": unproven_per_s}
    judged = bar("one core", limits={"one_core": one_core})
    assert (judged.verdict, judged.best) == (verdict, best)


@pytest.mark.parametrize(("measured", "found"), [(25.04, "25.04 ms"), (24.96, "25.0 ms"), (26.0, "26.0 ms")])
def test_what_is_just_missed_is_not_rounded_to_what_is_asked_for(measured: float, found: str) -> None:
    assert Bar("it", 25.0, measured, unit="ms", at_most=True).found == found
