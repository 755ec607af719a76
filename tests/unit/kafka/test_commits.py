"""T13: commits are explicit, filtered, bounded in time, one after another, and never go back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from consumer.kafka.commits import Commits
from tests.support.waiting import wait_until
from tests.unit.kafka.fakes import OTHER_PLACE, PLACE, FakeCommitter


def commits_of(consumer: FakeCommitter, *, timeout_ms: int = 5_000) -> Commits:
    return Commits(consumer, interval_ms=1, timeout_ms=timeout_ms)


@asynccontextmanager
async def running(commits: Commits) -> AsyncIterator[None]:
    task = asyncio.create_task(commits.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_commit_names_what_is_done_and_nothing_else() -> None:
    """T13: without names, it would commit what was merely handed out."""
    consumer = FakeCommitter(PLACE, OTHER_PLACE)
    commits = commits_of(consumer)
    assert await commits.commit()
    assert consumer.asked == []

    commits.done(PLACE, 5)
    assert await commits.commit()
    assert consumer.asked == [{PLACE: 5}]


async def test_partitions_that_are_not_assigned_are_left_out() -> None:
    """T13: one of them would spoil the commit of all."""
    consumer = FakeCommitter(PLACE)
    commits = commits_of(consumer)
    commits.done(PLACE, 5)
    commits.done(OTHER_PLACE, 6)
    assert await commits.commit()
    assert consumer.landed == [{PLACE: 5}]


async def test_a_commit_without_an_answer_is_given_up_in_time_and_made_again() -> None:
    """T13: aiokafka itself would try for ever."""
    consumer = FakeCommitter(PLACE)
    consumer.gate.clear()
    commits = commits_of(consumer, timeout_ms=20)
    commits.done(PLACE, 5)
    assert not await asyncio.wait_for(commits.commit(), 5)

    consumer.gate.set()
    assert await commits.commit()
    assert consumer.landed == [{PLACE: 5}]


async def test_commits_wait_for_one_another() -> None:
    """T13: so that none can land late over a newer one."""
    consumer = FakeCommitter(PLACE)
    consumer.gate.clear()
    commits = commits_of(consumer)
    commits.done(PLACE, 5)
    first = asyncio.create_task(commits.commit())
    await wait_until(lambda: consumer.asked)
    commits.done(PLACE, 6)
    second = asyncio.create_task(commits.commit())
    await asyncio.sleep(0)
    consumer.gate.set()

    assert all(await asyncio.gather(first, second))
    assert consumer.at_once_max == 1
    assert consumer.landed == [{PLACE: 5}, {PLACE: 6}]


async def test_a_committed_offset_is_neither_repeated_nor_taken_back() -> None:
    """T13."""
    consumer = FakeCommitter(PLACE)
    commits = commits_of(consumer)
    for offsets in ((5, 4), (5,), (4,), (6,)):
        for offset in offsets:
            commits.done(PLACE, offset)
        await commits.commit()
    assert consumer.asked == [{PLACE: 5}, {PLACE: 6}]


@pytest.mark.parametrize(
    ("refusal", "refused"), [(CommitFailedError(), 1), (IllegalStateError(), 1), (KafkaError("no answer"), 0)]
)
async def test_a_refused_commit_is_no_error_and_the_offset_stays_due(refusal: KafkaError, refused: int) -> None:
    consumer = FakeCommitter(PLACE)
    consumer.refusal = refusal
    commits = commits_of(consumer)
    commits.done(PLACE, 5)
    assert not await commits.commit()
    assert commits.refused == refused

    consumer.refusal = None
    assert await commits.commit()
    assert consumer.landed == [{PLACE: 5}]


async def test_what_is_done_is_committed_soon_and_a_refused_commit_made_again() -> None:
    consumer = FakeCommitter(PLACE)
    consumer.refusal = CommitFailedError()
    commits = commits_of(consumer)
    async with running(commits):
        commits.done(PLACE, 5)
        await wait_until(lambda: len(consumer.asked) > 1)
        consumer.refusal = None
        await wait_until(lambda: consumer.landed == [{PLACE: 5}])


async def test_what_is_forgotten_is_not_committed_and_may_start_lower_again() -> None:
    consumer = FakeCommitter(PLACE)
    commits = commits_of(consumer)
    commits.done(PLACE, 5)
    await commits.commit()
    commits.done(PLACE, 6)
    commits.forget([PLACE])
    await commits.commit()
    assert consumer.landed == [{PLACE: 5}]

    commits.done(PLACE, 1)
    await commits.commit()
    assert consumer.landed == [{PLACE: 5}, {PLACE: 1}]


async def test_what_is_forgotten_while_it_is_committed_may_start_lower_again() -> None:
    """The log has been replaced meanwhile: with the old offset in its place, records of the new one would be skipped."""
    consumer = FakeCommitter(PLACE)
    consumer.gate.clear()
    commits = commits_of(consumer)
    commits.done(PLACE, 1_000)
    committing = asyncio.create_task(commits.commit())
    await wait_until(lambda: consumer.asked)
    commits.forget([PLACE])
    commits.done(PLACE, 0)
    consumer.gate.set()
    await committing

    await commits.commit()
    assert consumer.landed == [{PLACE: 1_000}, {PLACE: 0}]


@pytest.mark.parametrize("steps_after_landing", range(6))
async def test_a_cancellation_that_comes_with_the_answer_of_a_commit_is_not_lost(steps_after_landing: int) -> None:
    consumer = FakeCommitter(PLACE)
    consumer.gate.clear()
    commits = Commits(consumer, interval_ms=1, timeout_ms=1_000)
    running = asyncio.create_task(commits.run())
    commits.done(PLACE, 1)
    await wait_until(lambda: consumer.asked)
    consumer.gate.set()
    for _ in range(steps_after_landing):
        await asyncio.sleep(0)
    running.cancel()
    ended, _ = await asyncio.wait([running], timeout=1)

    assert ended
