"""What a worker makes of a chunk: answers as they will stand in a topic, and the rejections beside them."""

import json

import pytest

from consumer.chunk import Chunk, Processed
from consumer.wire.answers import answer
from consumer.wire.records import messages
from consumer.wire.trace import span_id
from domain.batch import Code, Limits
from domain.summation import process_chunk
from tests.support.records import FORM, HandmadeRecord, chunk_of, log_batch, request

SAMPLED = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = SAMPLED[:-1] + b"0"


def answered(chunk: Chunk, *, reply_to_failed: bool = True, traced: str = "") -> Processed:
    return answer(chunk, process_chunk, Limits(), FORM._replace(reply_to_failed=reply_to_failed, traced=traced))


def chunk(*records: HandmadeRecord) -> Chunk:
    return Chunk(
        topic="requests",
        partition=3,
        first_offset=records[0].offset,
        next_offset=records[-1].offset + 1,
        timestamp=0,
        batches=log_batch(records),
    )


def test_an_answer_is_keyed_as_its_request_and_says_where_that_stands() -> None:
    processed = answered(chunk(HandmadeRecord(offset=41, key=b"key", value=request("a"))))
    ((key, value, headers, _),) = messages(processed.answers[0])
    assert (key, headers) == (b"key", [("source", b"requests/3/41")])
    assert json.loads(value or b"")["response"] == [3, 7]


def test_answers_say_where_their_requests_stand_also_where_an_offset_has_one_digit_more() -> None:
    processed = answered(chunk_of([request("a")] * 4, first_offset=98))
    told = [headers for batch in processed.answers for _, _, headers, _ in messages(batch)]
    assert told == [[("source", b"requests/0/%d" % offset)] for offset in (98, 99, 100, 101)]


def test_the_answer_to_a_request_without_a_key_is_keyed_by_its_batchid() -> None:
    processed = answered(chunk(HandmadeRecord(offset=0, value=request("ä"))))
    assert messages(processed.answers[0])[0][0] == "ä".encode()


def test_what_traces_and_correlates_is_passed_on_and_nothing_else() -> None:
    headers = [("traceparent", b"00-1"), ("secret", b"x"), ("correlation-id", b"7"), ("tracestate", b"a=b")]
    processed = answered(chunk(HandmadeRecord(offset=0, value=request("a"), headers=headers)))
    passed_on = messages(processed.answers[0])[0][2][1:]
    assert passed_on == [("traceparent", b"00-1"), ("correlation-id", b"7"), ("tracestate", b"a=b")]


def test_an_answer_continues_the_trace_of_its_request_under_our_span() -> None:
    headers = [("tracestate", b"a=b"), ("traceparent", SAMPLED), ("correlation-id", b"7")]
    processed = answered(chunk(HandmadeRecord(offset=41, value=request("a"), headers=headers)), traced="group")
    ours = SAMPLED[:36] + b"%016x-01" % span_id("group", b"requests/3/41")
    assert processed.traced == {41: SAMPLED}
    assert messages(processed.answers[0])[0][2][1:] == [headers[0], ("traceparent", ours), headers[2]]


@pytest.mark.parametrize("headers", [[], [("traceparent", UNSAMPLED)], [("traceparent", b"00-1")], [("x", SAMPLED)]])
def test_what_is_not_traced_is_passed_on_as_it_is(headers: list[tuple[str, bytes]]) -> None:
    asked = chunk(HandmadeRecord(offset=41, value=request("a"), headers=headers))
    processed = answered(asked, traced="group")
    assert processed.traced == {}
    assert processed.answers[0].data.count(UNSAMPLED) == headers.count(("traceparent", UNSAMPLED))
    assert messages(processed.answers[0])[0][2] == messages(answered(asked).answers[0])[0][2]


def test_without_traces_a_sampled_request_is_passed_on_as_it_is() -> None:
    processed = answered(chunk(HandmadeRecord(offset=41, value=request("a"), headers=[("traceparent", SAMPLED)])))
    assert processed.traced == {}
    assert messages(processed.answers[0])[0][2][1:] == [("traceparent", SAMPLED)]


def test_a_request_that_is_not_answered_is_traced_too() -> None:
    asked = chunk(HandmadeRecord(offset=41, value=b"no JSON", headers=[("traceparent", SAMPLED)]))
    assert answered(asked, reply_to_failed=False, traced="group").traced == {41: SAMPLED}


def test_a_rejection_is_told_by_the_offset_of_its_request() -> None:
    processed = answered(chunk_of([request("a"), b"no JSON", request("b")], first_offset=70))
    assert (processed.records, [*processed.rejections]) == (3, [71])
    assert processed.rejections[71].code is Code.INVALID_JSON


def test_failed_batches_are_answered_only_where_that_is_wanted() -> None:
    values = [request("a"), request("b", "no list")]
    for reply_to_failed, batchids in ((True, ["a", "b"]), (False, ["a"])):
        processed = answered(chunk_of(values), reply_to_failed=reply_to_failed)
        told = [json.loads(value or b"")["batchid"] for _, value, _, _ in messages(processed.answers[0])]
        assert told == batchids


def test_answers_fill_as_few_batches_as_their_bound_allows() -> None:
    form = FORM._replace(packing=FORM.packing._replace(batch_bytes_max=1_000))
    processed = answer(chunk_of([request(f"{number}") for number in range(20)]), process_chunk, Limits(), form)
    assert sum(batch.records for batch in processed.answers) == 20
    assert all(len(batch.data) <= 1_000 for batch in processed.answers)
    assert all(len(batch.data) > 700 for batch in processed.answers[:-1])
    told = [json.loads(value or b"") for batch in processed.answers for _, value, _, _ in messages(batch)]
    assert [one["batchid"] for one in told] == [f"{number}" for number in range(20)]
