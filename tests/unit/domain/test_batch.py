"""The contract's types: how outcomes cross to another process, and how faults are found."""

import pickle
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from domain.batch import Code, Detail, Envelope, Outcomes, Rejection, Request, Response, Result, faults

RESULT = Result("id1", b"answer 1")
REJECTION = Rejection(
    Code.INVALID_REQUEST, "message", (Detail("payload.0", "fault"),), "id2", b"answer 2", 3, "SIGKILL", 20
)
UNANSWERED = Rejection(Code.EMPTY_RECORD, "message", (), None, None)


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [RESULT],
        [REJECTION],
        [RESULT, REJECTION, RESULT, UNANSWERED, RESULT],
        [UNANSWERED, UNANSWERED],
    ],
)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_outcomes_arrive_in_another_process_as_they_left(outcomes: list[Result | Rejection], protocol: int) -> None:
    arrived = pickle.loads(pickle.dumps(Outcomes.of(outcomes), protocol))

    assert arrived == outcomes
    assert type(arrived) is Outcomes
    assert [type(outcome) for outcome in arrived] == [type(outcome) for outcome in outcomes]


def test_outcomes_cross_without_an_object_per_result() -> None:
    """What a result adds to the pickle is its two values and their lengths."""
    results = [Result(f"id{n:04d}", b"%07d" % n) for n in range(2_000)]

    added_bytes = len(pickle.dumps(Outcomes.of(results))) - len(pickle.dumps(Outcomes.of(results[:1_000])))

    assert added_bytes < 1_000 * (len("id0000") + len(b"0000000") + 8)


def test_faults_are_looked_for_only_as_far_as_they_are_wanted() -> None:
    class Remembering(list[object]):
        seen = 0

        def __iter__(self) -> Iterator[object]:
            for item in super().__iter__():
                self.seen += 1
                yield item

    payload = Remembering([1.5] * 1_000)

    first = next(faults({"batchid": "a", "payload": payload}))

    assert first == Detail("payload.0", "must be a list of integers")
    assert payload.seen == 1


def test_the_model_stops_at_the_first_fault_of_a_payload() -> None:
    with pytest.raises(ValidationError) as caught:
        Request.model_validate_json(b'{"batchid": 1, "payload": [["x", "x"], ["x"]]}')

    assert [fault["loc"] for fault in caught.value.errors()] == [("batchid",), ("payload", 0, 0)]


def test_an_envelope_is_read_from_a_request_whatever_its_payload_is() -> None:
    assert Envelope.model_validate_json(b'{"batchid": "a", "payload": 7}').batchid == "a"


@pytest.mark.parametrize(
    "answer",
    [
        b'{"batchid": "a", "response": ["3"], "status": "complete", "started_at": %b, "completed_at": %b}',
        b'{"batchid": "a", "response": [3.0], "status": "complete", "started_at": %b, "completed_at": %b}',
        b'{"batchid": "a", "response": [3], "status": "done", "started_at": %b, "completed_at": %b}',
        b'{"response": [3], "status": "complete", "started_at": %b, "completed_at": %b}',
    ],
)
def test_what_is_no_answer_is_not_read_as_one(answer: bytes) -> None:
    moment = b'"2026-01-31T09:30:00.123456Z"'

    with pytest.raises(ValidationError):
        Response.model_validate_json(answer % (moment, moment))
