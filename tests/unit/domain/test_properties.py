"""What holds for every input, whatever hypothesis comes up with."""

import json
import re
from typing import cast

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.batch import Code, Limits, Outcome, Rejection, Request, Response, Result, faults
from domain.summation import process_chunk, reject
from tests.support.corpus import MARKER, with_corpus

LIMITS = Limits()

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # others share the machine

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
integers = st.integers() | st.integers(-(2**70), 2**70)
payloads = st.lists(st.lists(integers, max_size=6), max_size=6)
batchids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
requests = st.fixed_dictionaries({"batchid": batchids, "payload": payloads}, optional={"extra": anything})
near_requests = st.fixed_dictionaries(
    {},
    optional={
        "batchid": batchids | anything,
        "payload": st.lists(st.lists(integers | anything, max_size=4) | anything, max_size=4) | anything,
    },
)
documents = (requests | near_requests | anything).map(lambda parsed: json.dumps(parsed).encode())


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid request after a few slips of the pen: bytes lost, doubled, moved or replaced."""
    value = json.dumps(draw(requests), ensure_ascii=draw(st.booleans())).encode()
    fragments = st.sampled_from(
        [b'"', b",", b"[", b"]", b"{", b"}", b"-", b".", b"0", b"1e5", b"null", b"true", b"NaN"]
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(value)))
        end = draw(st.integers(start, min(len(value), start + 6)))
        piece = draw(fragments | st.binary(max_size=3) | st.just(value[start:end] * 2))
        value = value[:start] + piece + value[end:]
    return value


values = st.none() | st.binary(max_size=64) | documents | mutated()


@settings(unhurried, max_examples=250)
@given(st.lists(values, max_size=6))
@with_corpus(lambda value: [value])
def test_any_bytes_have_exactly_one_outcome(chunk: list[bytes | None]) -> None:
    outcomes = process_chunk(chunk, LIMITS)

    assert len(outcomes) == len(chunk)
    for value, outcome in zip(chunk, outcomes, strict=True):
        assert isinstance(outcome, Result | Rejection)
        assert (outcome.answer is None) == (outcome.batchid is None)
        if outcome.answer is not None:
            response = Response.model_validate_json(outcome.answer)
            assert response.batchid == outcome.batchid
            assert (response.status == "complete") == isinstance(outcome, Result)
        if value is None:
            assert isinstance(outcome, Rejection)
            assert outcome.code is Code.EMPTY_RECORD


@settings(unhurried, max_examples=200)
@given(values, st.sampled_from(Code))
def test_any_bytes_can_be_rejected(value: bytes | None, code: Code) -> None:
    rejection = reject(value, code, "what happened", 1_800_000_000_000_000_000)
    [processed] = process_chunk([value], LIMITS)

    assert rejection.code is code
    assert rejection.batchid == processed.batchid


@settings(unhurried, max_examples=300)
@given(requests)
def test_a_valid_request_is_answered_with_the_sums_that_python_finds(request: dict[str, object]) -> None:
    [outcome] = process_chunk([json.dumps(request).encode()], LIMITS)

    assert isinstance(outcome, Result)
    assert outcome.batchid == request["batchid"]
    payload = cast("list[list[int]]", request["payload"])
    assert json.loads(outcome.answer)["response"] == [sum(integers) for integers in payload]


@settings(unhurried, max_examples=500)
@given(mutated() | documents)
@example(b'{"batchid": "a", "payload": [[1]]}').via("a good one, so that it is not all about bad ones")
@with_corpus()
def test_the_verdict_is_that_of_another_parser_and_a_look_at_every_type(value: bytes) -> None:
    """Python's own json module and `type` agree, except on lone surrogates and deep nesting, which json lets pass."""
    assume(not re.search(rb"\\u[dD][89a-fA-F]", value))
    assume(b"[" * 200 not in value)

    [outcome] = process_chunk([value], LIMITS)

    expected = _sums_found_otherwise(value)
    assert isinstance(outcome, Result) == (expected is not None)
    if isinstance(outcome, Result):
        assert json.loads(outcome.answer)["response"] == expected


@settings(unhurried, max_examples=300)
@given(near_requests | anything)
def test_there_are_faults_exactly_where_the_model_rejects(parsed: object) -> None:
    value = json.dumps(parsed).encode()
    parsed = json.loads(value)  # what the model sees: of two names that are written alike, the last

    try:
        Request.model_validate_json(value)
    except ValidationError as error:
        found = [detail.path for detail in faults(parsed)]
        reported = [".".join(map(str, fault["loc"])) for fault in error.errors()]
        assert reported[0] == found[0]
        assert set(reported) <= set(found)
    else:
        assert not [*faults(parsed)]


@settings(unhurried, max_examples=150)
@given(st.lists(values, min_size=1, max_size=6), st.data())
def test_no_verdict_depends_on_the_neighbours(chunk: list[bytes | None], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(chunk))))

    together = process_chunk([chunk[place] for place in order], LIMITS)

    for place, outcome in zip(order, together, strict=True):
        [alone] = process_chunk([chunk[place]], LIMITS)
        assert _without_moments(outcome) == _without_moments(alone)


marked = st.sampled_from([MARKER, f"{MARKER} {MARKER}", f'"{MARKER}', MARKER * 40])
marked_documents = st.recursive(
    marked | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(marked | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
marked_requests = st.fixed_dictionaries(
    {}, optional={"batchid": marked_documents, "payload": marked_documents, MARKER: marked_documents}
).map(lambda parsed: json.dumps(parsed).encode())


@st.composite
def marked_anywhere(draw: st.DrawFn) -> bytes:
    value = draw(mutated() | marked_requests)
    place = draw(st.integers(0, len(value)))
    return value[:place] + draw(st.sampled_from([b"", b'"', b"\\", b"[", b"-", b"1"])) + MARKER.encode() + value[place:]


@settings(unhurried, max_examples=500)
@given(marked_requests | marked_anywhere())
@with_corpus()
def test_nothing_that_is_said_about_a_request_quotes_it(value: bytes) -> None:
    [outcome] = process_chunk([value], LIMITS)

    assume(isinstance(outcome, Rejection))
    assert isinstance(outcome, Rejection)
    assert MARKER not in outcome.message
    assert MARKER not in repr(outcome.details)
    if outcome.answer is not None:
        assert MARKER not in json.dumps(json.loads(outcome.answer)["error"])


def _sums_found_otherwise(value: bytes) -> list[int] | None:
    try:
        request = json.loads(value.decode())
    except ValueError:
        return None
    if type(request) is not dict or type(request.get("payload")) is not list:
        return None
    batchid = request.get("batchid")
    if type(batchid) is not str or not 1 <= len(batchid) <= 256:
        return None
    sums = []
    for integers in request["payload"]:
        if type(integers) is not list or {int} < {int, *map(type, integers)}:
            return None
        sums.append(sum(integers))
    return sums


def _without_moments(outcome: Outcome) -> Outcome:
    if outcome.answer is None:
        return outcome
    moments = rb'"(started_at|completed_at)": "[^"]*Z"'
    return outcome._replace(answer=re.sub(moments, b"", outcome.answer))
