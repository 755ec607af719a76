"""What a lane and the workers are doing, as it is told to whoever asks."""

import time

from consumer.board import NOWHERE, WorkerState
from consumer.chunk import Chunk
from consumer.recent import Done
from consumer.snapshot import Step, lane_state, workers_at
from tests.support.instance import StandingPartition
from tests.support.records import chunk_of


def chunk(first_offset: int = 10) -> Chunk:
    return chunk_of([b"secret"] * 10, partition=3, first_offset=first_offset)


def step(chunk: Chunk, *workers: WorkerState) -> Step:
    (state,) = lane_state(StandingPartition(), [chunk], workers).chunks
    return state.step


def test_a_chunk_that_no_worker_has_is_queued() -> None:
    assert step(chunk(), WorkerState(1, None, 0.0), WorkerState(2, chunk(20).place, 1.0)) == "queued"


def test_a_chunk_that_a_worker_is_at_is_computed_for_as_long_as_that_says() -> None:
    ours = chunk()
    (state,) = lane_state(StandingPartition(), [ours], [WorkerState(1, ours.place, 7.0)]).chunks
    assert state.step == "computing"
    assert 7.0 <= state.seconds < 8.0


def test_a_chunk_that_was_computed_waits_for_those_before_it() -> None:
    ours = chunk()
    ours.times.ended = time.monotonic()
    assert step(ours) == "waiting to publish"


def test_a_chunk_is_published_until_it_is_done() -> None:
    ours = chunk()
    ours.times.ended = ours.times.publishing = time.monotonic()
    assert step(ours) == "publishing"


def test_a_lane_tells_how_far_it_is_and_how_old_the_oldest_request_in_flight_is() -> None:
    state = lane_state(StandingPartition(), [chunk(10), chunk(20)], [])
    assert (state.partition, state.done_offset, state.next_offset, state.committed_offset) == (3, 10, 40, 5)
    assert [(chunk.first_offset, chunk.next_offset) for chunk in state.chunks] == [(10, 20), (20, 30)]
    assert state.oldest_s is not None
    assert abs(state.oldest_s - (time.time() - 1_700_000_000)) < 5


def test_a_lane_that_is_done_has_no_oldest_request() -> None:
    assert lane_state(StandingPartition(lag=0), [], []).oldest_s is None


def test_a_lane_that_has_fetched_nothing_yet_tells_for_how_long() -> None:
    assert lane_state(StandingPartition(lag=90, stuck_s=12.0), [], []).oldest_s == 12


def done(*, age_s: float, ago_s: float) -> Done:
    """A chunk that was made *age_s* before now, and done *ago_s* before now."""
    return Done(round(1000 * (time.time() - age_s)), time.monotonic() - ago_s)


def test_a_lane_that_has_a_backlog_and_nothing_in_flight_is_as_far_behind_as_the_last_chunk_that_it_has_done() -> None:
    state = lane_state(StandingPartition(lag=90, stuck_s=12.0), [], [], done(age_s=3600, ago_s=12.0))
    assert state.oldest_s is not None
    assert abs(state.oldest_s - 3600) < 5


def test_a_lane_that_was_done_with_all_is_no_further_behind_than_the_time_since() -> None:
    state = lane_state(StandingPartition(lag=1, stuck_s=0.5), [], [], done(age_s=3600, ago_s=600))
    assert state.oldest_s == 0.5


def test_workers_are_told_with_what_they_are_at_and_the_one_in_quarantine_last() -> None:
    states = workers_at(
        [WorkerState(1, chunk().place, 2.0, 10.0), WorkerState(2, None, 0.0, 5.0)], [WorkerState(3, NOWHERE, 1.0)]
    )
    assert [(worker.pid, worker.quarantined, worker.at, worker.busy_s) for worker in states] == [
        (1, False, "3/10-19", 12.0),
        (2, False, None, 5.0),
        (3, True, "a batch over HTTP", 1.0),
    ]


def test_nothing_of_a_payload_is_told() -> None:
    ours = chunk()
    assert "secret" not in repr(lane_state(StandingPartition(), [ours], [WorkerState(1, ours.place, 7.0)]))
