"""An audit of histories that were made by hand: what it finds, and what it does not take for a violation."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.handmade import (
    ALL_AT_ONCE,
    ANSWERS,
    LETTERS,
    REQUESTS,
    HandmadePool,
    HandmadeTopics,
    answer,
    audited,
    everything,
    history,
    letter,
    listed,
    without,
)


@pytest.mark.parametrize("at_once", [ALL_AT_ONCE, 100, 7, 1])
async def test_a_right_history_is_proved_in_any_number_of_rounds(at_once: int) -> None:
    pool = HandmadePool()
    findings = await audited(history(100), at_once=at_once, pool=pool)
    assert (findings.verdict, findings.violations, findings.repeated) == ("proved", Counter(), 0)
    assert findings.states == {"complete": 255, "failed": 45}
    assert pool.batches == 300


def forge_nothing_of_a_request(topics: HandmadeTopics) -> None:
    without(topics, 1, 30)


def forge_a_wrong_sum(topics: HandmadeTopics) -> None:
    without(topics, 1, 99)
    topics.write(answer(1, 99, response=[100, -98]))


def forge_a_sum_in_quotes(topics: HandmadeTopics) -> None:
    without(topics, 1, 99)
    topics.write(answer(1, 99, response=["100", "-99"]))


def forge_the_order(topics: HandmadeTopics) -> None:
    without(topics, 1, 5)
    topics.write(answer(1, 5))


def forge_a_stranger(topics: HandmadeTopics) -> None:
    topics.write(answer(1, 100))
    topics.write(answer(2, 10**17)._replace(partition=0))


def forge_a_stranger_among_the_first(topics: HandmadeTopics) -> None:
    log = topics.logs[ANSWERS, 1]
    log.insert(3, answer(1, 100))
    log[:] = [each._replace(offset=number) for number, each in enumerate(log)]


def forge_a_source_without_end(topics: HandmadeTopics) -> None:
    for offset in (b"9" * 5_000, "\N{ARABIC-INDIC DIGIT ONE}".encode(), b"-1", b""):
        topics.write(answer(2, 1)._replace(headers=[("source", f"{REQUESTS}/2/".encode() + offset)]))


def forge_an_answer_that_is_none(topics: HandmadeTopics) -> None:
    for batchid, status in ((7, "complete"), ("1/8", "odd")):
        topics.write(answer(1, 8, batchid=batchid, status=status)._replace(key=None))


def forge_a_lost_letter(topics: HandmadeTopics) -> None:
    without(topics, 0, 7)
    topics.write(answer(0, 7))


FORGED: dict[Callable[[HandmadeTopics], None], dict[str, list[tuple[int, int]]]] = {
    forge_nothing_of_a_request: {"no outcome": [(1, 30)]},
    forge_a_wrong_sum: {"wrong answer": [(1, 99)]},
    forge_a_sum_in_quotes: {"wrong answer": [(1, 99)]},
    forge_the_order: {"answer out of order": [(1, 5)]},
    forge_a_stranger: {"an outcome of no request": [(2, 10**17), (1, 100)]},
    forge_a_stranger_among_the_first: {"an outcome of no request": [(1, 100)]},
    forge_a_source_without_end: {"an answer without a source": [(2, 92 + number) for number in range(4)]},
    forge_an_answer_that_is_none: {"an answer that cannot be read": [(1, 8), (1, 8)]},
    forge_a_lost_letter: {
        "answer out of order": [(0, 7)],
        "no outcome": [(0, 7)],
        "failed without a dead letter": [(0, 7)],
    },
}


@pytest.mark.parametrize("at_once", [ALL_AT_ONCE, 20])
@pytest.mark.parametrize("forge", FORGED, ids=lambda forge: forge.__name__)
async def test_what_was_forged_is_found_by_its_coordinates(
    forge: Callable[[HandmadeTopics], None], at_once: int
) -> None:
    topics = history(100)
    forge(topics)
    findings = await audited(topics, at_once=at_once)
    assert findings.verdict == "violated"
    assert listed(findings) == FORGED[forge]


async def test_what_is_not_due_is_pending_and_not_missing() -> None:
    topics = history(50)
    for offset in (40, 45, 49):
        without(topics, 1, offset)
    findings = await audited(topics, due={0: 50, 1: 45, 2: 50})
    assert listed(findings) == {"no outcome": [(1, 40)]}
    assert (findings.states["pending"], findings.states["missing"]) == (2, 1)


async def test_a_repetition_is_told_and_exactly_once_a_violation() -> None:
    topics = history(50)
    for _ in range(2):
        topics.write(answer(2, 48))
    told = await audited(topics)
    assert (told.verdict, told.repeated) == ("proved", 1)
    assert [str(each) for each in told.listed["repeated"]] == ["2/48: repeated (3 times)"]
    forbidden = await audited(topics, delivery="exactly_once")
    assert listed(forbidden)["more than one outcome"] == [(2, 48)]


async def test_what_retention_has_removed_of_the_outcomes_is_unknown_and_not_missing() -> None:
    topics = history(50)
    topics.kept_from[ANSWERS, 0] = 10
    findings = await audited(topics)
    assert (findings.verdict, findings.states["unknown"], findings.states["missing"]) == ("proved", 9, 0), (
        "one of ten has its letter"
    )


async def test_what_must_have_been_answered_is_missed_even_if_letters_were_removed() -> None:
    """Its failed answer would be there."""
    topics = history(50)
    for partition in range(3):
        topics.kept_from[LETTERS, partition] = len(topics.logs[LETTERS, partition])
    without(topics, 1, 30)
    findings = await audited(topics)
    assert listed(findings) == {"no outcome": [(1, 30)]}
    assert findings.states["unknown"] == 3 * 8, "the bad ones, of which the letters are gone"


async def test_outcomes_of_requests_that_retention_has_removed_are_told() -> None:
    topics = history(50)
    topics.kept_from[REQUESTS, 2] = 20
    findings = await audited(topics)
    assert (findings.verdict, findings.requests) == ("proved", 130)
    assert findings.outdated == {"answer": 18, "dead letter": 3}


@pytest.mark.parametrize("at_once", [ALL_AT_ONCE, 20])
async def test_outcomes_of_another_topic_s_requests_are_left_to_others(at_once: int) -> None:
    topics = history(50)
    topics.write(answer(1, 5)._replace(headers=[("source", b"another-topic/1/5")]))
    for each in (letter(1, 7), letter(1, 8)):
        headers = [(name, b"another-topic" if name == "dlq.topic" else value) for name, value in each.headers]
        topics.write(each._replace(headers=headers))
    findings = await audited(topics, at_once=at_once)
    assert (findings.verdict, findings.violations) == ("proved", Counter())
    assert findings.foreign == {"answer": 1, "dead letter": 2}


@pytest.mark.parametrize("at_once", [ALL_AT_ONCE, 20])
async def test_retention_may_overtake_an_audit(at_once: int) -> None:
    topics = history(50)
    scope = await everything(topics)
    topics.kept_from |= {(REQUESTS, 0): 10, (ANSWERS, 1): 15, (LETTERS, 2): 2}
    findings = await audited(topics, scope=scope, at_once=at_once)
    assert (findings.verdict, findings.violations) == ("proved", Counter())
    assert (findings.requests, findings.removed_since) == (140, 10)
    assert 15 <= findings.states["unknown"] <= 20


async def test_a_result_topic_with_more_partitions_has_later_answers_elsewhere() -> None:
    topics = history(50)
    moved = topics.logs[ANSWERS, 2][:20]
    rest = topics.logs[ANSWERS, 2][len(moved) :]
    topics.logs[ANSWERS, 2] = []
    for each in moved:
        topics.write(each._replace(partition=0))
    for each in rest:
        topics.write(each)
    findings = await audited(topics)
    assert findings.violations == Counter()
    topics.write(answer(2, 3)._replace(partition=1))
    assert listed(await audited(topics))["answer in another partition"] == [(2, 3)]


async def test_a_batch_that_has_killed_a_worker_is_not_run_again() -> None:
    topics, pool = history(50), HandmadePool()
    without(topics, 1, 30)
    topics.write(letter(1, 30, "worker_crashed"))
    findings = await audited(topics, pool=pool)
    assert listed(findings) == {"dead letter out of order": [(1, 30)]}
    assert pool.batches == 149


async def test_of_each_kind_only_the_first_are_listed() -> None:
    topics = history(50)
    for offset in range(20, 40):
        without(topics, 1, offset)
    findings = await audited(topics, listed_max=3)
    assert listed(findings) == {"no outcome": [(1, 20), (1, 21), (1, 22)]}
    assert findings.violations == {"no outcome": 20}
