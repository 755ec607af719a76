"""Who is measured when, and which rounds count."""

import math

import pytest

from benchmarks.alone import WorkersAlone
from benchmarks.latency import Latency
from benchmarks.plan import Step
from benchmarks.systems import OURS, SYSTEMS
from benchmarks.turns import Contender, Figures, in_turn

ROUNDS = 2


class Measured:
    """Contenders that remember who was measured, in which order; each is quicker every time."""

    def __init__(self, *, failing: str = "") -> None:
        self.order: list[str] = []
        self._failing = failing

    def contender(self, kind: str, name: str, *yardsticks: Contender) -> Contender:
        def measure() -> list[WorkersAlone]:
            self.order.append(name)
            if name == self._failing:
                raise RuntimeError("it crashed")
            return [WorkersAlone(float(self.order.count(name)), 1.0, 1.0, 1.0, 1.0)]

        return Contender(kind, name, name, "1.0", ROUNDS, measure, yardsticks)


STEP = Step("drains", (SYSTEMS["arroyo"], OURS), rounds=ROUNDS)


def contenders(measured: Measured) -> list[Contender]:
    yardsticks = measured.contender("workers_alone", "alone"), measured.contender("fetched", "librdkafka")
    return [measured.contender("drains", "arroyo"), measured.contender("drains", "batchsum", *yardsticks)]


def test_the_yardsticks_are_measured_right_before_the_service_in_every_round_that_counts() -> None:
    measured = Measured()
    in_turn(STEP, contenders(measured), ends_at=math.inf)
    assert measured.order == [
        *("arroyo", "batchsum"),
        *("alone", "librdkafka", "batchsum", "arroyo"),
        *("arroyo", "alone", "librdkafka", "batchsum"),
    ]


def test_warm_ups_do_not_count_and_rows_stand_in_the_order_of_the_plan() -> None:
    found = in_turn(STEP, contenders(Measured()), ends_at=math.inf)
    assert [row["system"] for row in found["drains"]] == ["arroyo", "batchsum"]
    assert [row["batches_per_s"]["low"] for row in found["drains"]] == [2.0, 2.0]
    assert [(row["batches_per_s"]["low"], row["rounds"]) for row in found["workers_alone"]] == [(1.0, ROUNDS)]


@pytest.mark.parametrize("failing", ["arroyo", "alone", "librdkafka"])
def test_one_that_fails_is_named_and_costs_the_others_nothing(failing: str) -> None:
    measured = Measured(failing=failing)
    found = in_turn(STEP, contenders(measured), ends_at=math.inf)
    assert [failure["system"] for failure in found["failures"]] == [failing]
    assert measured.order.count(failing) == 1
    assert {row["system"]: row["rounds"] for row in found["drains"]}["batchsum"] == ROUNDS


def test_rounds_that_come_too_late_are_left_out_but_never_the_first() -> None:
    found = in_turn(STEP, contenders(Measured()), ends_at=-math.inf)
    assert {row["rounds"] for row in found["drains"]} == {1}


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        (WorkersAlone(12_345.6, 1.0, 1.0, 1.0, 1.0), "round 1: it: 12,346 batches/s\n"),
        (
            Latency(9, 1.5, 20.0, 30.0, 40.0, 2_000.0, 1.0, 1.2),
            "round 1: it: p50 1.5 ms, p99 20.0 ms, at 2,000 batches/s\n",
        ),
        (Latency(9, 1.5, 20.0, 30.0, 40.0, 0.0, 0.0, 0.0), "round 1: it: p50 1.5 ms, p99 20.0 ms\n"),
    ],
)
def test_whoever_watches_is_told_what_each_round_has_found(
    figures: Figures, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    in_turn(STEP, [Contender("drains", "it", "it", "1.0", 1, lambda: [figures])], ends_at=math.inf)
    assert capsys.readouterr().out.endswith(told)


def test_each_spell_of_a_load_counts_as_a_round() -> None:
    spells = [Latency(9, 1.5, p99_ms, 30.0, 40.0, 2_000.0, 1.0, 1.2) for p99_ms in (10.0, 90.0, 12.0)]
    found = in_turn(STEP, [Contender("under_load", "it", "it", "1.0", 1, lambda: spells)], ends_at=math.inf)
    (row,) = found["under_load"]
    assert row["rounds"] == 3
    assert row["p99_ms"] == {"median": 12.0, "low": 10.0, "high": 90.0}
