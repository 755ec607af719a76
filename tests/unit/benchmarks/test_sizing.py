"""From a run's figures to what a load asks for."""

import pytest

from benchmarks.document import Document
from benchmarks.profiles import PROFILES
from benchmarks.sizing import need, sizes


def one(figure: float) -> dict[str, float]:
    return {"median": figure, "min": figure, "max": figure}


def document(*, parent: float = 1.0, total: float = 7.0, broker: float = 3.0) -> Document:
    measured = {
        "system": "batchsum",
        "profile": "small",
        "batches_per_s": one(100_000),
        "cpu_s_per_million": one(total),
        "parent_cpu_s_per_million": one(parent),
        "broker_cpu_s_per_million": one(broker),
    }
    alone = {"system": "one-partition", "profile": "small", "batches_per_s": one(80_000)}
    return {"drains": [measured], "ways": [alone]}


def test_processors_are_planned_to_be_busy_for_three_fifths_of_their_time() -> None:
    asked = need(document(), PROFILES["small"], 1_000_000)
    assert asked is not None
    assert (asked.loops, asked.workers, asked.broker) == pytest.approx((1 / 0.6, 6 / 0.6, 3 / 0.6))


def test_no_event_loop_has_more_than_one_core_and_each_has_two_partitions() -> None:
    asked = need(document(parent=3.0, total=9.0), PROFILES["small"], 1_000_000)
    assert asked is not None
    assert (asked.instances, asked.workers_each) == (5, 2)
    assert asked.partitions == 1_000_000 / (80_000 * 0.5)


def test_a_load_that_is_no_load_asks_for_one_of_each() -> None:
    asked = need(document(), PROFILES["small"], 1)
    assert asked is not None
    assert (asked.instances, asked.workers_each, asked.partitions) == (1, 1, 1)
    assert asked.next_bottleneck == "none: one core idles"


def test_what_was_not_measured_is_not_told() -> None:
    assert need(document(), PROFILES["large"], 1) is None
    assert "small/s" in sizes(document())
    assert "large/s" not in sizes(document())
