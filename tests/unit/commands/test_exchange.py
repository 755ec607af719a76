"""Which outcome belongs to which request, when a request is settled, and in what order that is told."""

import pytest

from consumer.commands import exchange as module
from consumer.commands.exchange import Exchange, Fate
from consumer.kafka.caller import Outcome

COMPLETE = b'{"batchid": "a", "response": [1], "status": "complete"}'
FAILED = b'{"batchid": "a", "response": null, "status": "failed"}'


class Clock:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def told() -> list[Fate]:
    return []


@pytest.fixture
def exchange(clock: Clock, told: list[Fate]) -> Exchange:
    return Exchange(told.append)


def outcome(source: str, value: bytes | None, reason: str | None = None) -> Outcome:
    headers = {} if reason is None else {"dlq.reason": reason}
    return Outcome(source=source, value=value, key=None, partition=0, offset=0, headers=headers)


def statuses(fates: list[Fate]) -> list[tuple[int, str]]:
    return [(fate.number, fate.status) for fate in fates]


def test_an_answer_settles_its_request(exchange: Exchange, told: list[Fate]) -> None:
    exchange.sent("t/0/0")
    exchange.take([outcome("t/0/0", COMPLETE)])
    assert statuses(told) == [(1, "complete")]


def test_an_answer_may_come_before_the_acknowledgement(exchange: Exchange, told: list[Fate]) -> None:
    exchange.take([outcome("t/0/0", COMPLETE)])
    assert told == []
    exchange.sent("t/0/0")
    assert statuses(told) == [(1, "complete")]


def test_requests_are_told_in_their_order_whatever_that_of_the_answers(exchange: Exchange, told: list[Fate]) -> None:
    for source in ("t/0/0", "t/1/0", "t/0/1"):
        exchange.sent(source)
    exchange.take([outcome("t/0/1", COMPLETE), outcome("t/1/0", COMPLETE)])
    assert told == []
    exchange.take([outcome("t/0/0", COMPLETE)])
    assert [fate.source for fate in told] == ["t/0/0", "t/1/0", "t/0/1"]


@pytest.mark.parametrize("answer_first", [True, False])
def test_a_failed_batch_is_settled_by_answer_and_dead_letter(
    answer_first: bool, exchange: Exchange, told: list[Fate]
) -> None:
    halves = [outcome("t/0/0", FAILED), outcome("t/0/0", b"x", "invalid_request")]
    exchange.sent("t/0/0")
    exchange.take([halves[not answer_first]])
    assert told == []
    exchange.take([halves[answer_first]])
    assert statuses(told) == [(1, "failed")]
    assert (told[0].answer, told[0].dead_letter) == tuple(halves)


def test_the_other_half_of_a_failed_batch_is_not_waited_for_too_long(
    exchange: Exchange, clock: Clock, told: list[Fate]
) -> None:
    exchange.sent("t/0/0")
    exchange.take([outcome("t/0/0", None, "empty_record")])
    clock.now += module.OTHER_HALF_WAIT_S
    exchange.take([])
    assert told == []
    clock.now += 0.01
    exchange.take([])
    assert statuses(told) == [(1, "failed")]
    assert told[0].answer is None


def test_a_repeated_answer_changes_nothing(exchange: Exchange, told: list[Fate]) -> None:
    exchange.sent("t/0/0")
    exchange.sent("t/0/1")
    exchange.take([outcome("t/0/0", COMPLETE), outcome("t/0/0", FAILED), outcome("t/0/1", COMPLETE)])
    exchange.take([outcome("t/0/0", COMPLETE)])
    assert statuses(told) == [(1, "complete"), (2, "complete")]


def test_outcomes_of_others_are_nobodys(exchange: Exchange, told: list[Fate]) -> None:
    exchange.take([outcome("t/0/7", COMPLETE)])
    exchange.sent("t/0/8")
    exchange.all_sent()
    exchange.take([outcome("t/0/9", COMPLETE), outcome("", COMPLETE)])
    assert told == []
    assert not exchange.finished


def test_outcomes_of_others_do_not_count_as_a_sign_of_life(exchange: Exchange, clock: Clock) -> None:
    exchange.sent("t/0/0")
    exchange.all_sent()
    clock.now += 10
    exchange.take([outcome("t/0/9", COMPLETE)])
    assert clock.now - exchange.heard_at == 10
    exchange.take([outcome("t/0/0", COMPLETE)])
    assert clock.now == exchange.heard_at


def test_it_is_finished_when_all_is_sent_and_settled(exchange: Exchange) -> None:
    exchange.sent("t/0/0")
    exchange.take([outcome("t/0/0", COMPLETE)])
    assert not exchange.finished
    exchange.all_sent()
    assert exchange.finished


def test_what_is_given_up_is_missing_in_its_place(exchange: Exchange, told: list[Fate]) -> None:
    for source in ("t/0/0", "t/0/1", "t/0/2"):
        exchange.sent(source)
    exchange.take([outcome("t/0/1", COMPLETE)])
    exchange.give_up()
    assert statuses(told) == [(1, "missing"), (2, "complete"), (3, "missing")]


@pytest.mark.parametrize("value", [None, b"", b"[]", b"nonsense", b'{"status": 1}', FAILED])
def test_an_answer_that_is_not_complete_is_failed(value: bytes | None, exchange: Exchange, told: list[Fate]) -> None:
    exchange.sent("t/0/0")
    exchange.take([outcome("t/0/0", value)])
    exchange.give_up()
    assert statuses(told) == [(1, "failed")]


def test_sums_may_have_more_digits_than_python_converts(exchange: Exchange, told: list[Fate]) -> None:
    exchange.sent("t/0/0")
    exchange.take([outcome("t/0/0", b'{"response": [' + b"9" * 5_000 + b'], "status": "complete"}')])
    assert statuses(told) == [(1, "complete")]
