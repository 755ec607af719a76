"""What is measured, how much of it, and how long that takes."""

import pytest

from benchmarks.plan import FULL, LATE, QUICK
from benchmarks.profiles import PROFILES
from benchmarks.systems import OURS, SYSTEMS

SMALL = PROFILES["small"].backlogs


@pytest.mark.parametrize(
    ("batches_per_s", "backlog"),
    [(250_000, 1_000_000), (110_000, 700_000), (2_300, 10_000), (0.01, 1), (9_000_000, 2_000_000)],
)
def test_a_backlog_takes_about_some_seconds_and_is_a_round_number(batches_per_s: float, backlog: int) -> None:
    assert SMALL.sized(batches_per_s, seconds=7.0) == backlog


def test_a_full_run_takes_at_most_forty_minutes_and_a_quick_one_five() -> None:
    for plan, minutes in ((FULL, 40), (QUICK, 5)):
        assert sum(plan.expected_s(step) for step in plan.steps) * LATE <= minutes * 60


def test_a_full_run_has_every_system_and_each_profile() -> None:
    drained = {(system.name, step.profile.name) for step in FULL.steps if step.is_drained for system in step.systems}
    assert {system for system, _ in drained} == set(SYSTEMS)
    assert {(OURS.name, profile) for profile in PROFILES} <= drained


def test_whoever_is_slow_has_fewer_rounds_and_nobody_none() -> None:
    small = next(step for step in FULL.steps if step.kind == "drains")
    assert small.rounds_of(SYSTEMS["batchsum"]) == 3
    assert small.rounds_of(SYSTEMS["faust"]) == 2
    assert all(step.rounds_of(system) >= 1 for step in FULL.steps for system in step.systems)
