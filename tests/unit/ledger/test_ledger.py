"""The ledger finds every kind of wrong history, and nothing in a right one."""

import json
from collections.abc import Callable

import pytest

from consumer.ledger.entry import Delivery, Entry, Expectation
from consumer.ledger.ledger import NOTES_MAX, Ledger
from consumer.ledger.page import BYTES_PER_RECORD

REQUESTS = "requests"
GOOD = Expectation(batchid="good", sums=[3, 10**30])
BAD = Expectation(batchid="bad", verdicts=["invalid_request"])
MUTE = Expectation(verdicts=["invalid_json"], replied=False)

History = Callable[[Ledger], object]


def asked(offset: int, expectation: Expectation = GOOD, *, partition: int = 0) -> History:
    return lambda ledger: ledger.request(entry(partition, offset), expectation)


def entry(partition: int, offset: int, value: bytes | None = b"request") -> Entry:
    return Entry(REQUESTS, partition, offset, b"key", value, [("trace", b"1")], 1_700_000_000_000)


def result(offset: int, *, batchid: str = "good", sums: object = (3, 10**30), key: bytes = b"key") -> History:
    return _answer(f"{REQUESTS}/0/{offset}", key, {"batchid": batchid, "response": sums, "status": "complete"})


def reply(offset: int, code: str = "invalid_request") -> History:
    error = {"code": code, "message": "", "details": []}
    answer = {"batchid": "bad", "response": None, "status": "failed", "error": error}
    return _answer(f"{REQUESTS}/0/{offset}", b"key", answer)


def _answer(source: str, key: bytes, answer: object, *, partition: int = 0) -> History:
    value = json.dumps(answer).encode()
    return lambda ledger: ledger.answer(Entry("results", partition, 0, key, value, [("source", source.encode())], 0))


def letter(offset: int, code: str = "invalid_request", *, original: Entry | None = None) -> History:
    kept = original or entry(0, offset)
    reasons = {"reason": code, "topic": REQUESTS, "partition": 0, "offset": offset}
    headers = [*kept.headers, *((f"dlq.{name}", str(value).encode()) for name, value in reasons.items())]
    return lambda ledger: ledger.dead_letter(kept._replace(topic="dlq", headers=headers))


def committed(offset: int) -> History:
    return lambda ledger: ledger.committed(0, offset)


def judged(*history: History, delivery: Delivery = "at_least_once", duplicates_max: int = 1) -> list[tuple[str, int]]:
    ledger = Ledger(REQUESTS, delivery)
    for happened in history:
        happened(ledger)
    return [(violation.kind, violation.offset) for violation in ledger.judge(duplicates_max=duplicates_max)]


RIGHT = {
    "a result": [asked(0), result(0), committed(1)],
    "a dead letter and a failed answer": [asked(0, BAD), reply(0), letter(0), committed(1)],
    "a dead letter of what cannot be answered": [asked(0, MUTE), letter(0, "invalid_json")],
    "an outcome that is read before the request is known": [result(0), asked(0)],
    "gaps between the offsets": [asked(0), asked(7), result(0), result(7), committed(9)],
    "two partitions, each in its own order": [asked(0), asked(0, partition=1), result(0), _answer(
        f"{REQUESTS}/1/0", b"key", {"batchid": "good", "response": [3, 10**30], "status": "complete"}, partition=1
    )],
    "ten thousand": [*map(asked, range(10_000)), *map(result, range(10_000)), committed(10_000)],
}  # fmt: skip


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_right_history_has_no_violation(history: list[History], delivery: Delivery) -> None:
    assert judged(*history, delivery=delivery) == []


WRONG = {
    "a request is lost": ([asked(0), asked(1), result(1)], [("no outcome", 0)]),
    "a failed answer has no dead letter": (
        [asked(0, BAD), reply(0)],
        [("no outcome", 0), ("failed without a dead letter", 0)],
    ),
    "a sum is wrong": ([asked(0), result(0, sums=[3, 10**30 + 1])], [("wrong answer", 0)]),
    "a sum is a float": ([asked(0), result(0, sums=[3, 1e30])], [("wrong answer", 0)]),
    "a sum is in quotes": ([asked(0), result(0, sums=["3", str(10**30)])], [("wrong answer", 0)]),
    "the batchid is another's": ([asked(0), result(0, batchid="other")], [("wrong answer", 0)]),
    "the key is another's": ([asked(0), result(0, key=b"other")], [("wrong answer", 0)]),
    "both kinds of outcome": (
        [asked(0), result(0), reply(0), letter(0)],
        [("two kinds of outcome", 0), ("wrong verdict: invalid_request", 0)],
    ),
    "a good batch is rejected": ([asked(0), reply(0), letter(0)], [("wrong verdict: invalid_request", 0)]),
    "a bad batch is answered": (
        [asked(0, BAD), result(0, batchid="bad", sums=[])],
        [("wrong verdict: complete", 0)],
    ),
    "the reason is another": (
        [asked(0, BAD), reply(0, "timed_out"), letter(0, "timed_out")],
        [("wrong verdict: timed_out", 0)],
    ),
    "no failed answer": ([asked(0, BAD), letter(0)], [("a failed batch is not answered", 0)]),
    "a failed answer nobody can match": (
        [asked(0, MUTE), reply(0, "invalid_json"), letter(0, "invalid_json")],
        [("an answer nobody was to get", 0)],
    ),
    "the dead letter's value differs": (
        [asked(0, BAD), reply(0), letter(0, original=entry(0, 0, b"Request"))],
        [("the dead letter is not the request", 0)],
    ),
    "the dead letter's null became empty": (
        [lambda ledger: ledger.request(entry(0, 0, None), BAD), reply(0), letter(0, original=entry(0, 0, b""))],
        [("the dead letter is not the request", 0)],
    ),
    "the dead letter's timestamp differs": (
        [asked(0, BAD), reply(0), letter(0, original=entry(0, 0)._replace(timestamp=1))],
        [("the dead letter is not the request", 0)],
    ),
    "the dead letter has lost a header": (
        [asked(0, BAD), reply(0), letter(0, original=entry(0, 0)._replace(headers=[]))],
        [("the dead letter is not the request", 0)],
    ),
    "results out of order": (
        [asked(0), asked(1), result(1), result(0)],
        [("answer out of order", 0)],
    ),
    "dead letters out of order": (
        [asked(0, BAD), asked(1, BAD), reply(0), reply(1), letter(1), letter(0)],
        [("dead letter out of order", 0)],
    ),
    "results spread over partitions": (
        [asked(0), asked(1), result(0), _answer(
            f"{REQUESTS}/0/1", b"key", {"batchid": "good", "response": [3, 10**30], "status": "complete"}, partition=1
        )],
        [("answer in another partition", 1)],
    ),
    "committed before the result": ([asked(0), committed(1), result(0)], [("committed without an outcome", 0)]),
    "committed on a failed answer alone": (
        [asked(0, BAD), reply(0), committed(1), letter(0)],
        [("committed without an outcome", 0)],
    ),
    "an outcome of nothing": ([asked(0), result(0), result(1)], [("an outcome of no request", 1)]),
    "an answer without a source": (
        [_answer("", b"key", {"batchid": "good", "response": [], "status": "complete"})],
        [("an answer without a source", 0)],
    ),
    "an answer from another topic": (
        [_answer("other/0/0", b"key", {"batchid": "good", "response": [], "status": "complete"})],
        [("an answer without a source", 0)],
    ),
    "an answer that is none": (
        [asked(0), _answer(f"{REQUESTS}/0/0", b"key", ["complete"]), result(0)],
        [("an answer that cannot be read", 0)],
    ),
    "an answer with a code that does not exist": (
        [asked(0), reply(0, "bad_mood"), result(0)],
        [("an answer that cannot be read", 0)],
    ),
    "a source with more digits than any offset": (
        [_answer(f"{REQUESTS}/0/{'7' * 5000}", b"key", {"batchid": "good", "response": [], "status": "complete"})],
        [("an answer without a source", 0)],
    ),
    "a batchid that is no string": (
        [asked(0), lambda ledger: ledger.answer(Entry("results", 0, 0, None, b'{"batchid": 7, "response": [], "status": "complete"}', [("source", f"{REQUESTS}/0/0".encode())], 0)), result(0)],
        [("an answer that cannot be read", 0)],
    ),
    "a source that is no number": (
        [_answer(f"{REQUESTS}/one/0", b"key", {"batchid": "good", "response": [], "status": "complete"})],
        [("an answer without a source", 0)],
    ),
    "a repeated result that differs": (
        [asked(0), result(0, sums=[4]), result(0)],
        [("two different answers", 0)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("history", "violations"), WRONG.values(), ids=WRONG)
def test_a_wrong_history_is_found_out(history: list[History], violations: list[tuple[str, int]]) -> None:
    assert judged(*history) == violations


REPEATED = {
    "a result": [asked(0), result(0), result(0)],
    "a dead letter": [asked(0, MUTE), letter(0, "invalid_json"), letter(0, "invalid_json")],
    "a failed answer": [asked(0, BAD), reply(0), reply(0), letter(0)],
}


@pytest.mark.parametrize("history", REPEATED.values(), ids=REPEATED)
def test_a_repetition_is_allowed_within_bounds_and_never_in_exactly_once(history: list[History]) -> None:
    assert judged(*history, duplicates_max=1) == []
    assert judged(*history, duplicates_max=0) == [("too many duplicates", -1)]
    assert judged(*history, delivery="exactly_once") == [("more than one outcome", 0)]


def test_exactly_once_an_offset_may_be_seen_before_its_outcome_but_not_instead_of_it() -> None:
    assert judged(asked(0), committed(1), result(0), delivery="exactly_once") == []
    assert judged(asked(0), committed(1), delivery="exactly_once") == [("no outcome", 0)]


def test_a_repetition_may_stand_behind_later_results() -> None:
    """After a crash a whole run comes again: the first occurrences are in order, the second ones too."""
    history = [*map(asked, range(4)), *map(result, [0, 1, 2, 1, 2, 3])]
    assert judged(*history, duplicates_max=2) == []


def test_it_knows_what_is_still_to_come() -> None:
    ledger = Ledger(REQUESTS, "at_least_once")
    for happened in (asked(0), asked(1, BAD), asked(2), result(0), reply(1)):
        happened(ledger)
    assert ledger.without_outcome() == [(0, 1), (0, 2)]
    assert ledger.ends() == {0: 3}
    assert [ledger.done_before({0: end}) for end in range(4)] == [True, True, False, False]
    assert (ledger.requests, ledger.outcomes) == (3, 1)


def test_a_record_costs_no_more_than_forty_bytes_of_it() -> None:
    """Ten million have to fit."""
    ledger = Ledger(REQUESTS, "at_least_once")
    asked(2**20 - 1)(ledger)
    page = ledger.pages[0]
    columns = (page.asked, page.expected, page.answered, page.buried, page.allowed, page.found)
    times = (page.results, page.replies, page.letters)
    size_bytes = sum(len(column) * column.itemsize for column in columns) + sum(map(len, times))
    assert size_bytes <= BYTES_PER_RECORD * 2**20


def test_a_request_that_was_a_dead_letter_before_is_buried_with_its_past() -> None:
    """It may even pretend to have been one: only the last reason is the service's own."""
    past = entry(0, 0)._replace(headers=[("dlq.reason", b"timed_out"), ("dlq.offset", b"7"), ("dlq.replayed", b"1")])
    history = [lambda ledger: ledger.request(past, BAD), reply(0), letter(0, original=past)]
    assert judged(*history) == []


def test_an_expectation_that_nobody_knows_takes_any_sums() -> None:
    unknown = Expectation(sums=None, replied=None)
    assert judged(asked(0, unknown), result(0)) == []
    assert judged(asked(0, unknown), result(0, sums=[])) == []


def test_notes_beside_the_pages_are_bounded_and_then_counted() -> None:
    ledger = Ledger(REQUESTS, "at_least_once")
    for _ in range(NOTES_MAX + 5):
        _answer("", b"key", {})(ledger)
    *notes, more = ledger.findings()
    assert len(notes) == NOTES_MAX
    assert more == ("an answer without a source", -1, -1, "and 5 more of them")


class TestWithin:
    """A ledger of a range of offsets, as an audit has one."""

    @staticmethod
    def ledger(*history: History, offsets: range = range(5, 8)) -> Ledger:
        ledger = Ledger(REQUESTS, "at_least_once", within={0: offsets})
        for happened in history:
            happened(ledger)
        return ledger

    def test_outcomes_of_others_are_passed_over(self) -> None:
        ledger = self.ledger(asked(5), result(4), result(5), result(8), letter(10**15), reply(4))
        assert [*ledger.findings()] == []
        assert (ledger.requests, ledger.outcomes) == (1, 1)

    def test_a_violation_is_told_by_its_offset(self) -> None:
        assert [*self.ledger(asked(5), asked(7), result(5)).findings()] == [("no outcome", 0, 7, "")]

    def test_what_is_not_due_is_not_missing(self) -> None:
        ledger = self.ledger(asked(5), asked(6, BAD), asked(7), result(5), reply(6))
        ledger.pages[0].due = 6
        assert [*ledger.findings()] == []
        ledger.pages[0].due = 7
        assert [kind for kind, *_ in ledger.findings()] == ["no outcome", "failed without a dead letter"]

    def test_what_is_no_longer_kept_is_not_missing(self) -> None:
        ledger = self.ledger(asked(5), asked(6, BAD), asked(7), letter(6), result(7))
        assert [kind for kind, *_ in ledger.findings()] == ["no outcome", "a failed batch is not answered"]
        ledger.pages[0].kept_from["answer"] = ledger.pages[0].heard_first["answer"]
        assert [*ledger.findings()] == []

    def test_the_first_outcome_that_is_kept_counts_even_if_it_is_anothers(self) -> None:
        assert self.ledger(result(2), result(5)).pages[0].heard_first == {"answer": 2}
