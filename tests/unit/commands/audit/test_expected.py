"""What is to become of a request: what `domain` says, but for what may become of any batch."""

import json

import pytest

from consumer.commands.audit.expected import KILLERS, expectation
from consumer.ledger.entry import COMPLETE, VERDICTS, Expectation
from domain.batch import Code, Limits, Outcome, Rejection
from domain.summation import process_chunk
from tests.support.records import request


def outcome(value: bytes | None) -> Outcome:
    (only,) = process_chunk([value], Limits(result_bytes_max=10**9))
    return only


def expected(value: bytes | None) -> Expectation:
    return expectation(outcome(value), reply_to_failed=True)


def test_a_batch_is_to_be_summed_exactly() -> None:
    expects = expected(request("one", [[1, 2], [], [10**30, -1]]))
    assert (expects.batchid, expects.sums) == ("one", ["3", "0", str(10**30 - 1)])
    assert {*expects.verdicts} == {COMPLETE, Code.RESULT_TOO_LARGE, *KILLERS}


def test_a_sum_may_have_more_digits_than_python_likes_to_convert() -> None:
    value = b'{"batchid": "huge", "payload": [[' + b", ".join([b"9" * 4_300] * 10) + b"]]}"
    assert expected(value).sums == ["9" * 4_300 + "0"]


@pytest.mark.parametrize(
    ("value", "code", "replied"),
    [
        (None, Code.EMPTY_RECORD, False),
        (b"not json", Code.INVALID_JSON, False),
        (b'{"payload": [[1]]}', Code.INVALID_REQUEST, False),
        (request("one", [[1.5]]), Code.INVALID_REQUEST, True),
        (json.dumps({"batchid": "x" * 257, "payload": []}).encode(), Code.INVALID_REQUEST, False),
    ],
)
def test_a_bad_batch_is_to_fail_by_its_code_and_to_be_answered_if_it_has_a_name(
    value: bytes | None, code: Code, *, replied: bool
) -> None:
    expects = expected(value)
    assert {*expects.verdicts} == {code, *KILLERS}
    assert expects.replied is replied


def test_where_failed_batches_are_not_answered_nobody_knows_whether_they_once_were() -> None:
    assert expectation(outcome(request("one", [[1.5]])), reply_to_failed=False).replied is None
    assert expectation(outcome(b"not json"), reply_to_failed=False).replied is False


@pytest.mark.parametrize("code", KILLERS)
def test_anything_may_become_of_a_batch_that_kills_its_worker_here_too(code: Code) -> None:
    killed = Rejection(code, "", (), batchid=None, answer=None)
    assert expectation(killed, reply_to_failed=True) == Expectation(sums=None, verdicts=VERDICTS, replied=None)
