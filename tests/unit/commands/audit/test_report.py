"""What an audit says: a verdict, coordinates, and what to do next."""

import json
from collections import Counter

import pytest

from config.settings import Settings
from consumer.commands.audit import report
from consumer.commands.audit.findings import Findings
from consumer.commands.audit.scope import Scope
from consumer.kafka.history import Span
from consumer.ledger.entry import Violation
from consumer.ledger.judgement import State

SETTINGS = Settings()


def scope(*, kept_from: int = 0, due: dict[int, int] | None = None) -> Scope:
    requests = [
        Span(topic=SETTINGS.request_topic, partition=partition, start=kept_from, end=100, kept_from=kept_from)
        for partition in range(2)
    ]
    return Scope(requests=requests, outcomes={}, due=due, kept={}, newest={})


def findings(states: dict[State, int], *violations: Violation) -> Findings:
    found = Findings(listed_max=2, states=Counter(states))
    for violation in violations:
        found.add(violation)
    return found


def remarks(found: Findings, *, within: Scope | None = None) -> list[str]:
    return [*report.remarks(within or scope(), found)]


def test_what_is_proved_needs_no_remark() -> None:
    found = findings({"complete": 1_000, "failed": 2})
    assert report.verdict(found).startswith("proved: each of 1,002 requests has its outcome")
    assert remarks(found) == []


def test_nothing_is_proved_of_nothing() -> None:
    assert report.verdict(findings({})).startswith("nothing to prove")
    assert report.verdict(findings({"pending": 5})).startswith("nothing to prove")


def test_one_violation_is_enough() -> None:
    found = findings({"complete": 9, "missing": 1}, Violation("no outcome", 0, 7))
    assert (found.verdict, report.verdict(found)) == ("violated", "violated: no outcome (1)")


def test_all_are_counted_and_the_first_of_each_kind_listed() -> None:
    violations = [Violation(kind, 1, offset) for offset in range(5) for kind in ("no outcome", "wrong answer")]
    told = report.as_json(SETTINGS, scope(due={0: 7}), findings({"complete": 9}, *violations))
    assert json.loads(json.dumps(told)) == told
    assert told["violations"] == {"no outcome": 5, "wrong answer": 5}
    assert told["listed"] == [
        {"kind": kind, "topic": SETTINGS.request_topic, "partition": 1, "offset": offset, "detail": ""}
        for kind in ("no outcome", "wrong answer")
        for offset in (0, 1)
    ]


def test_an_outcome_without_a_request_stands_where_it_stands_itself() -> None:
    sourceless = [Violation(f"{kind} without a source", 0, 7) for kind in ("an answer", "a dead letter")]
    told = report.as_json(SETTINGS, scope(), findings({}, *sourceless))
    assert isinstance(listed := told["listed"], list)
    assert [each["topic"] for each in listed] == [SETTINGS.result_topic, SETTINGS.dead_letter_topic]


HINTED = {
    "no outcome": "no outcome: lost, or deleted",
    "wrong answer": "wrong, differing or missing answers",
    "a failed batch is not answered": "wrong, differing or missing answers",
    "answer out of order": "out of order",
    "dead letter in another partition": "out of order",
    "an answer without a source": "without a source",
    "an outcome of no request": "of no request",
    "wrong verdict: timed_out": "wrong verdict",
    "more than one outcome": "more than one",
    "two kinds of outcome": "more than one",
    "two different dead letters": "dead letters that differ",
    "failed without a dead letter": "dead letters that differ",
}


@pytest.mark.parametrize(("kind", "hint"), HINTED.items())
def test_every_kind_of_violation_has_a_hint(kind: str, hint: str) -> None:
    (told,) = remarks(findings({}, Violation(kind, 0, 0)))
    assert told.startswith(hint)


def test_kinds_with_the_same_hint_have_it_once() -> None:
    violations = [Violation(kind, 0, 0) for kind in ("wrong answer", "two different answers")]
    assert len(remarks(findings({}, *violations))) == 1


def test_what_is_no_violation_is_told() -> None:
    found = findings({"complete": 1, "pending": 2_000, "unknown": 3})
    found.repeated, found.removed_since = 4, 5
    found.outdated["answer"] = 6
    told = "\n".join(remarks(found, within=scope(kept_from=10, due={0: 8})))
    for fact in (
        "2,000 requests are behind the group's offset",
        "4 requests have repeated outcomes",
        "removed 2 offsets of requests before they were done",
        "removed 5 offsets of requests while",
        "committed nothing for partition 1",
        "answer (6)",
        "nothing can be proved",
    ):
        assert fact in told
