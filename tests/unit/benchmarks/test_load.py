"""When the requests of a load are due, and which they are."""

import pytest

from benchmarks.load import SPAN_TICKS, TICK_S, Load, unsteadiness


def test_a_load_that_follows_another_goes_on_with_its_numbers_and_has_a_clock_of_its_own() -> None:
    load = Load("small", batches=5, per_tick=2.0, first=100)
    assert list(load.numbers) == [100, 101, 102, 103, 104]
    assert [load.tick(number) for number in load.numbers] == [0, 0, 1, 1, 2]
    assert [load.due_s(number) for number in load.numbers] == pytest.approx([0, 0, TICK_S, TICK_S, 2 * TICK_S])


def test_a_rate_that_is_no_whole_number_of_batches_a_burst_is_kept_all_the_same() -> None:
    load = Load("small", batches=1_000, per_tick=2.5)
    assert load.due_s(load.numbers[-1]) == pytest.approx(399 * TICK_S)


def test_a_machine_is_as_unsteady_as_its_slowest_moments_were_slow_for_the_same_work() -> None:
    """Of ten spans, two are slow."""
    assert unsteadiness([*[0.001] * 8 * SPAN_TICKS, *[0.002] * 2 * SPAN_TICKS]) == pytest.approx(2.0)
