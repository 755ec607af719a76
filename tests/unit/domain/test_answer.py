"""Answers are written by hand; here they are held to the model and to the standard library."""

import json
import re
from datetime import UTC, datetime, timedelta
from time import time_ns

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.answer import encode_complete, encode_failed, timestamp
from domain.batch import Code, Detail, Response

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # others share the machine

characters = st.characters(exclude_categories=["Cs"])
batchids = st.text(characters, min_size=1, max_size=256)
moments_ns = st.integers(10**9, 4 * 10**18)


@unhurried
@given(batchids, st.lists(st.integers()), moments_ns)
def test_a_complete_answer_is_what_json_writes_of_its_members(
    batchid: str, sums: list[int], started_at_ns: int
) -> None:
    answer = encode_complete(batchid, sums, timestamp(started_at_ns), timestamp(started_at_ns + 5_000))

    members = json.loads(answer)
    response = Response.model_validate_json(answer)
    assert answer == json.dumps(members, ensure_ascii=False).encode()
    assert list(members) == [name for name in Response.model_fields if name != "error"]
    assert (response.batchid, response.response, response.status) == (batchid, sums, "complete")
    assert members["started_at"] == timestamp(started_at_ns)
    assert members["completed_at"] == timestamp(started_at_ns + 5_000)


@unhurried
@given(
    batchids,
    st.sampled_from(Code),
    st.text(characters),
    st.lists(st.builds(Detail, st.text(characters)), max_size=4),
    moments_ns,
)
def test_a_failed_answer_is_what_json_writes_of_its_members(
    batchid: str, code: Code, message: str, details: list[Detail], started_at_ns: int
) -> None:
    answer = encode_failed(batchid, code, message, details, timestamp(started_at_ns))

    members = json.loads(answer)
    response = Response.model_validate_json(answer)
    assert answer == json.dumps(members, ensure_ascii=False).encode()
    assert list(members) == list(Response.model_fields)
    assert (response.batchid, response.response, response.status) == (batchid, None, "failed")
    assert response.error is not None
    assert (response.error.code, response.error.message) == (code, message)
    assert [(detail.path, detail.message) for detail in response.error.details] == details


@unhurried
@given(moments_ns)
def test_a_timestamp_is_rfc_3339_in_utc_with_all_six_digits(moment_ns: int) -> None:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=moment_ns // 1000)

    assert timestamp(moment_ns) == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_a_timestamp_on_the_second_keeps_its_zeros() -> None:
    assert timestamp(1_769_851_800_000_000_000) == "2026-01-31T09:30:00.000000Z"


def test_a_failed_answer_ends_when_it_is_encoded() -> None:
    before_ns = time_ns()
    answer = encode_failed("a", Code.TIMED_OUT, "", [], timestamp(before_ns))
    after_ns = time_ns()

    [completed_at] = re.findall(r'"completed_at": "([^"]+)"', answer.decode())
    assert timestamp(before_ns) <= completed_at <= timestamp(after_ns)
