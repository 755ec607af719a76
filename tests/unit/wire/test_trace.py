"""W3C Trace Context: what is taken for a traceparent, and what is made of it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.wire.trace import SAMPLED, continued, parse, sampled, span_id

TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WRITTEN = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]")


def hexadecimal(digits: int) -> st.SearchStrategy[bytes]:
    return st.integers(1, 16**digits - 1).map(lambda number: b"%0*x" % (digits, number))


valid = st.builds(
    lambda trace, span, flags: b"00-%b-%b-%02x" % (trace, span, flags), *map(hexadecimal, (32, 16)), st.integers(0, 255)
)
nearly = st.tuples(valid, st.integers(0, 54), st.binary(max_size=2)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :]
)


def test_a_traceparent_names_trace_span_and_flags() -> None:
    assert parse(TRACEPARENT) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, SAMPLED)


@pytest.mark.parametrize(
    "invalid",
    [
        None,
        b"",
        b"00-ab",
        TRACEPARENT.upper(),
        TRACEPARENT + b"\n",
        TRACEPARENT + b"-",
        b" " + TRACEPARENT,
        TRACEPARENT.replace(b"00-", b"ff-", 1),
        TRACEPARENT.replace(b"-", b"_"),
        b"00-" + b"0" * 32 + TRACEPARENT[35:],
        TRACEPARENT[:36] + b"0" * 16 + b"-01",
        b"01" + TRACEPARENT[2:] + b"x",
    ],
)
def test_what_is_not_written_as_the_standard_says_is_none(invalid: bytes | None) -> None:
    assert parse(invalid) is None


@pytest.mark.parametrize("more", [b"", b"-", b"-what comes after version 0"])
def test_a_later_version_is_read_as_far_as_it_is_known_and_continued_as_the_known_one(more: bytes) -> None:
    later = b"cc" + TRACEPARENT[2:53] + b"ff" + more
    assert parse(later) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, 0x03)
    assert continued(later, 7) == TRACEPARENT[:36] + b"0000000000000007-03"


@given(st.one_of(st.binary(), nearly))
@example(TRACEPARENT)
def test_any_bytes_are_valid_or_not_and_what_is_valid_can_be_continued(value: bytes) -> None:
    parent = parse(value)
    assert (sampled([("traceparent", value)]) == value) == (parent is not None and bool(parent.flags & SAMPLED))
    if parent is not None:
        assert WRITTEN.fullmatch(continued(value, 7))


@given(valid, st.binary(), st.integers(0, 2**40))
def test_what_comes_after_is_in_the_same_trace_with_the_same_flags_and_under_our_span(
    value: bytes, group: bytes, offset: int
) -> None:
    parent, ours = parse(value), span_id(group.hex(), b"requests/0/%d" % offset)
    assert parent is not None
    assert parse(continued(value, ours)) == parent._replace(span_id=ours)


def test_a_request_has_one_span_id_and_every_other_request_and_group_another() -> None:
    ids = [span_id(group, b"requests/0/%d" % offset) for group in ("batchsum", "shadow") for offset in range(1_000)]
    assert len({*ids}) == 2_000
    assert all(0 < each < 2**64 for each in ids)
    assert span_id("batchsum", b"requests/0/7") == ids[7]


def test_of_two_traceparents_neither_counts() -> None:
    assert sampled([("traceparent", TRACEPARENT), ("other", b"")]) == TRACEPARENT
    assert sampled([("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)]) is None


def test_a_trace_that_nobody_records_is_none_of_ours() -> None:
    assert sampled([("traceparent", TRACEPARENT[:-2] + b"02")]) is None
