"""The last five minutes: second by second, bounded, and without a payload."""

from dataclasses import replace

from consumer.chunk import Chunk
from consumer.recent import ENTRIES_KEPT, SECONDS_KEPT, Done, Recent, Second
from tests.support.records import chunk_of, processed

NOTHING = Second(0, 0, None, None)


class Clock:
    """A clock that is set by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def chunk(first_offset: int = 0, *, records: int = 10, fetched_at: float = 1_000.0) -> Chunk:
    made = chunk_of([b"secret"] * records, partition=3, first_offset=first_offset)
    return replace(made, fetched_at=fetched_at)


def test_a_second_has_what_was_delivered_in_it_and_how_long_that_took() -> None:
    clock = Clock()
    recent = Recent(clock)
    for late_s in (0.010, 0.020, 0.500):
        clock.now = 1_000.5
        recent.delivered(chunk(fetched_at=1_000.5 - late_s), processed(10, 4))
    clock.now = 1_001.0
    assert recent.seconds() == [Second(30, 3, 20.0, 500.0)]


def test_the_second_that_is_under_way_is_not_told() -> None:
    recent = Recent(Clock())
    recent.delivered(chunk(), processed(10))
    assert recent.seconds() == []


def test_seconds_in_which_nothing_happened_are_there_too() -> None:
    clock = Clock()
    recent = Recent(clock)
    recent.delivered(chunk(), processed(7))
    clock.now += 4
    assert recent.seconds() == [Second(7, 0, 0.0, 0.0), NOTHING, NOTHING, NOTHING]


def test_no_more_than_five_minutes_are_kept_however_long_nobody_looks() -> None:
    clock = Clock()
    recent = Recent(clock)
    recent.delivered(chunk(), processed(10))
    clock.now += 1_000_000
    assert recent.seconds() == [NOTHING] * SECONDS_KEPT


def test_results_and_dead_letters_are_told_by_their_coordinates_newest_first() -> None:
    recent = Recent(Clock())
    recent.delivered(chunk(0), processed(10, 2, 5))
    recent.delivered(chunk(10, records=1), processed(1))
    assert [(entry.what, entry.where) for entry in recent.results] == [
        ("1 batch", "requests/3/10"),
        ("8 batches", "requests/3/0"),
    ]
    assert [(entry.what, entry.where) for entry in recent.dead_letters] == [
        ("invalid_json", "requests/3/5"),
        ("invalid_json", "requests/3/2"),
    ]


def test_a_flood_of_rejections_leaves_only_the_last() -> None:
    recent = Recent(Clock())
    recent.delivered(chunk(0, records=1_000), processed(1_000, *range(1_000)))
    assert [entry.where for entry in recent.dead_letters] == [
        f"requests/3/{offset}" for offset in range(999, 999 - ENTRIES_KEPT, -1)
    ]
    assert not recent.results


def test_before_the_first_second_is_over_nothing_has_happened() -> None:
    clock = Clock()
    recent = Recent(clock)
    recent.delivered(chunk(), processed(7))
    assert (recent.seconds_over(), recent.last_second()) == (0, NOTHING)
    clock.now += 1
    assert (recent.seconds_over(), recent.last_second()) == (1, Second(7, 0, 0.0, 0.0))


def test_nothing_of_a_payload_is_kept() -> None:
    recent = Recent(Clock())
    recent.delivered(chunk(), processed(10, 4))
    assert "secret" not in repr([*recent.results, *recent.dead_letters])


def test_the_last_chunk_that_is_done_is_known_for_each_partition() -> None:
    recent = Recent(Clock())
    recent.delivered(chunk(0), processed(10))
    recent.delivered(chunk(10), processed(10))
    assert recent.done == {3: Done(chunk(10).timestamp, 1_000.0)}
