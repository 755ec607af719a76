"""How the spells of a load follow each other."""

import time

import pytest

from benchmarks.latency import Spells
from benchmarks.load import TICK_S, Load, Sent

SPELLS = Spells(saturating_per_s=1_000, saturating_seconds=1.0, share=0.5, times=2, seconds=2.0)


def test_each_spell_is_at_its_share_of_all_that_was_borne_so_far() -> None:
    """The first burst is answered within five seconds, and the second one within fifteen."""
    loads: list[Load] = []

    def answered(load: Load) -> Sent:
        loads.append(load)
        return Sent(load, since=time.time() - (5.0 if len(loads) == 1 else 15.0), late_max_s=0.0, costs_s=[])

    spells = [spell.load for spell in SPELLS.sent("small", answered)]
    assert loads[1::2] == spells
    assert [load.per_tick / TICK_S for load in spells] == pytest.approx([0.5 * 1_000 / 5, 0.5 * 2_000 / 20], rel=0.01)
    assert [load.batches for load in spells] == pytest.approx([200, 100], abs=2)


def test_the_batches_of_a_spell_are_numbered_on_from_those_before_it() -> None:
    loads: list[Load] = []

    def answered(load: Load) -> Sent:
        loads.append(load)
        return Sent(load, since=time.time() - 1.0, late_max_s=0.0, costs_s=[])

    assert len([*SPELLS.sent("small", answered)]) == 2
    assert [number for load in loads for number in load.numbers] == [*range(loads[-1].numbers.stop)]
