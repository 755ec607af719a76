"""What a worker makes of records: the contract's own example, its edges, and every way to be rejected."""

import json
import re
from datetime import UTC, datetime
from time import time_ns

import pytest
from pydantic import ValidationError

from domain import summation
from domain.batch import Code, Detail, Limits, Outcome, Rejection, Request, Response, Result
from domain.summation import process_chunk, reject

LIMITS = Limits()
EXAMPLE = b'{"batchid": "id0101", "payload": [[1, 2], [3, 4]]}'


def process(value: bytes | None, limits: Limits = LIMITS) -> Outcome:
    [outcome] = process_chunk([value], limits)
    return outcome


def request(batchid: str, payload: object) -> bytes:
    return json.dumps({"batchid": batchid, "payload": payload}).encode()


def sums_of(value: bytes) -> list[int]:
    outcome = process(value)
    assert isinstance(outcome, Result), outcome
    sums = json.loads(outcome.answer)["response"]
    assert isinstance(sums, list)
    return sums


def rejection_of(value: bytes | None, limits: Limits = LIMITS) -> Rejection:
    outcome = process(value, limits)
    assert isinstance(outcome, Rejection), outcome
    return outcome


class TestResults:
    def test_the_example_is_answered_as_the_contract_prints_it(self) -> None:
        outcome = process(EXAMPLE)

        assert isinstance(outcome, Result)
        assert outcome.batchid == "id0101"
        moment = rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"'
        assert re.fullmatch(
            rb'\{"batchid": "id0101", "response": \[3, 7\], "status": "complete", '
            rb'"started_at": ' + moment + rb', "completed_at": ' + moment + rb"\}",
            outcome.answer,
        )

    def test_an_answer_is_a_response_with_its_members_in_order(self) -> None:
        outcome = process(EXAMPLE)

        assert isinstance(outcome, Result)
        response = Response.model_validate_json(outcome.answer)
        assert list(json.loads(outcome.answer)) == [name for name in Response.model_fields if name != "error"]
        assert (response.batchid, response.response, response.status) == ("id0101", [3, 7], "complete")
        assert response.error is None

    def test_each_batch_carries_the_time_of_its_own_work(self) -> None:
        """A batch of a chunk does not start when the chunk does, but when its turn comes."""
        before = datetime.now(UTC)
        outcomes = process_chunk([EXAMPLE, request("long", [list(range(200_000))]), EXAMPLE], LIMITS)
        after = datetime.now(UTC)

        moments = [before]
        for outcome in outcomes:
            response = Response.model_validate_json(outcome.answer or b"")
            moments += [response.started_at, response.completed_at]
        assert [*moments, after] == sorted([*moments, after])

    def test_an_empty_payload_has_an_empty_response(self) -> None:
        assert sums_of(request("a", [])) == []

    def test_an_empty_list_sums_to_zero(self) -> None:
        assert sums_of(request("a", [[], [1], []])) == [0, 1, 0]

    def test_an_empty_chunk_has_no_outcomes(self) -> None:
        assert process_chunk([], LIMITS) == []

    @pytest.mark.parametrize("edge", [2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**400])
    def test_sums_are_exact_on_both_sides_of_every_machine_word(self, edge: int) -> None:
        assert sums_of(request("a", [[edge, 1], [-edge, -1], [edge, -edge, 7]])) == [edge + 1, -edge - 1, 7]

    def test_integers_of_4300_digits_are_summed(self) -> None:
        assert sums_of(b'{"batchid": "a", "payload": [[%b, -1], [-%b]]}' % (b"9" * 4300, b"8" * 4300)) == [
            int("9" * 4299 + "8"),
            -int("8" * 4300),
        ]

    def test_a_sum_may_have_more_digits_than_an_integer(self) -> None:
        """Python itself refuses to print or read it, json and all, unless told otherwise for the whole process."""
        outcome = process(b'{"batchid": "a", "payload": [[%b, 1], [5]]}' % (b"9" * 4300))

        assert isinstance(outcome, Result)
        assert b'"response": [1%b, 5], ' % (b"0" * 4300) in outcome.answer

    def test_an_integer_of_4301_digits_is_invalid_json(self) -> None:
        assert rejection_of(b'{"batchid": "a", "payload": [[%b]]}' % (b"1" * 4301)).code is Code.INVALID_JSON

    def test_a_million_integers_are_summed(self) -> None:
        integers = list(range(-1000, 999_000))

        assert sums_of(request("a", [integers, [1]])) == [sum(integers), 1]

    @pytest.mark.parametrize(
        "batchid", ["x" * 256, "é" * 256, "😀" * 256, '"\\\n\t\x00\x7f', "\u2028\ufeff\uffff", " "]
    )
    def test_a_batchid_is_1_to_256_characters_of_any_kind(self, batchid: str) -> None:
        outcome = process(request(batchid, [[1]]))

        assert isinstance(outcome, Result)
        assert outcome.batchid == batchid
        assert Response.model_validate_json(outcome.answer).batchid == batchid

    def test_a_batchid_counts_as_characters_however_it_is_written(self) -> None:
        written_out = request("é" * 256, [])
        in_utf8 = json.dumps({"batchid": "é" * 256, "payload": []}, ensure_ascii=False).encode()

        assert len(written_out) != len(in_utf8)
        assert isinstance(process(written_out), Result)
        assert isinstance(process(in_utf8), Result)


class TestRejections:
    def test_a_record_without_a_value_has_no_answer(self) -> None:
        rejection = rejection_of(None)

        assert rejection == Rejection(Code.EMPTY_RECORD, "the record has no value", (), None, None)

    def test_invalid_json_says_where_and_has_no_answer(self) -> None:
        rejection = rejection_of(b'{"batchid": "a", "payload": [[1,]]}')

        assert rejection.code is Code.INVALID_JSON
        assert "line 1 column 33" in rejection.message
        assert (rejection.details, rejection.batchid, rejection.answer) == ((), None, None)

    def test_an_invalid_request_is_answered_with_every_fault_and_its_path(self) -> None:
        rejection = rejection_of(request("a", [[1, "2", 3.0], {}, [True]]))

        assert rejection.code is Code.INVALID_REQUEST
        assert rejection.message == "the request has 4 faults"
        assert rejection.details == (
            Detail("payload.0.1", "must be an integer"),
            Detail("payload.0.2", "must be an integer"),
            Detail("payload.1", "must be a list of integers"),
            Detail("payload.2.0", "must be an integer"),
        )
        assert rejection.batchid == "a"

    def test_a_failed_answer_is_a_response_with_its_members_in_order(self) -> None:
        rejection = rejection_of(request("é", [[None]]))

        assert rejection.answer is not None
        members = json.loads(rejection.answer)
        response = Response.model_validate_json(rejection.answer)
        assert list(members) == list(Response.model_fields)
        assert (response.batchid, response.response, response.status) == ("é", None, "failed")
        assert members["error"] == {
            "code": "invalid_request",
            "message": "the request has 1 fault",
            "details": [{"path": "payload.0.0", "message": "must be an integer"}],
        }

    def test_no_more_details_than_the_limit_and_the_message_says_that_there_are_more(self) -> None:
        value = request("a", [["x"] * 7])

        exact = rejection_of(value, Limits(details_max=7))
        short = rejection_of(value, Limits(details_max=6))
        none = rejection_of(value, Limits(details_max=0))

        assert (len(exact.details), exact.message) == (7, "the request has 7 faults")
        assert (len(short.details), short.message) == (6, "the request has more than 6 faults")
        assert (len(none.details), none.message) == (0, "the request has more than 0 faults")

    def test_a_result_may_be_as_large_as_the_limit_and_not_a_byte_larger(self) -> None:
        fitting = process(EXAMPLE)
        assert isinstance(fitting, Result)
        size_bytes = len(fitting.answer)

        assert isinstance(process(EXAMPLE, Limits(result_bytes_max=size_bytes)), Result)
        rejection = rejection_of(EXAMPLE, Limits(result_bytes_max=size_bytes - 1))

        assert rejection.code is Code.RESULT_TOO_LARGE
        assert rejection.message == f"the answer has {size_bytes} bytes, at most {size_bytes - 1} are allowed"
        assert rejection.batchid == "id0101"
        assert rejection.answer is not None
        assert Response.model_validate_json(rejection.answer).status == "failed"

    @pytest.mark.parametrize("code", [Code.WORKER_CRASHED, Code.TIMED_OUT, Code.OUT_OF_MEMORY])
    def test_a_batch_that_could_not_be_processed_is_answered_under_its_batchid(self, code: Code) -> None:
        rejection = reject(EXAMPLE, code, "what happened", time_ns() - 3_000_000_000)

        assert (rejection.code, rejection.message, rejection.details) == (code, "what happened", ())
        assert rejection.batchid == "id0101"
        assert rejection.answer is not None
        response = Response.model_validate_json(rejection.answer)
        assert response.error is not None
        assert (response.error.code, response.error.message) == (code, "what happened")
        assert 3 <= (response.completed_at - response.started_at).total_seconds() < 10

    @pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"batchid": 7}', b'{"batchid": ""}', b"\xff"])
    def test_without_a_readable_batchid_there_is_nobody_to_answer(self, value: bytes | None) -> None:
        rejection = reject(value, Code.TIMED_OUT, "what happened", time_ns())

        assert rejection == Rejection(Code.TIMED_OUT, "what happened", (), None, None)

    @pytest.mark.parametrize("fault", [b"0.5", b'""', b"{}"])
    def test_a_record_full_of_faults_is_given_up_at_the_first_one(self, fault: bytes) -> None:
        """Collected one by one, 250,000 faults would take a second and hundreds of megabytes."""
        inner = b'{"batchid": "a", "payload": [[%b]]}' % b",".join([fault] * 250_000)
        outer = b'{"batchid": "a", "payload": [%b]}' % b",".join([fault] * 250_000)

        for value in (inner, outer):
            with pytest.raises(ValidationError) as caught:
                Request.model_validate_json(value)

            assert caught.value.error_count() == 1
            assert rejection_of(value).message == "the request has more than 20 faults"
            assert len(rejection_of(value).details) == 20


class TestChunks:
    def test_outcomes_stand_in_the_order_of_the_records(self) -> None:
        outcomes = process_chunk([request(f"id{n}", [[n]]) if n % 3 else b"}" for n in range(10)], LIMITS)

        assert [outcome.batchid for outcome in outcomes] == [f"id{n}" if n % 3 else None for n in range(10)]

    def test_running_out_of_memory_is_for_the_pool_to_judge(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A chunk may be too much for a worker where each of its batches is not."""

        def starve(value: bytes) -> tuple[str, list[int]]:
            raise MemoryError(len(value))

        monkeypatch.setattr(summation, "_evaluate", starve)

        with pytest.raises(MemoryError):
            process_chunk([EXAMPLE], LIMITS)
