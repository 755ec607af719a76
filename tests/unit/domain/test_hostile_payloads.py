"""A megabyte of everything that is known to be dear to read: each has its verdict, and none gives back more than it may."""

import json

import pytest

from domain.batch import Code, Limits, Rejection
from domain.summation import process_chunk

BYTES = 1_000_000
ENVELOPE = b'{"batchid": "a", "payload": [], "x": %b}'


def payload(item: bytes, frame: bytes = b"[[%b]]") -> bytes:
    """A batch of about that size, of nothing but *item*."""
    items = b",".join([item] * (BYTES // (len(item) + 1)))
    return b'{"batchid": "a", "payload": %b}' % (frame % items)


HOSTILE = {
    "integers of 4,300 digits": (payload(b"9" * 4_300), None),
    "integers of 4,301 digits": (payload(b"9" * 4_301), Code.INVALID_JSON),
    "one integer of a million digits": (payload(b"9" * (BYTES - 1)), Code.INVALID_JSON),
    "a float of a million digits": (ENVELOPE % (b"0." + b"9" * BYTES), None),
    "an exponent of a million digits": (ENVELOPE % (b"1e" + b"9" * BYTES), None),
    "empty lists": (payload(b"[]", b"[%b]"), Code.RESULT_TOO_LARGE),
    "faults": (payload(b"1.5"), Code.INVALID_REQUEST),
    "lists in lists": (b"[" * BYTES, Code.INVALID_JSON),
    "lists in lists, where nobody looks": (ENVELOPE % (b"[" * BYTES), Code.INVALID_JSON),
    "objects in objects": (b'{"a":' * (BYTES // 5), Code.INVALID_JSON),
    "members": (ENVELOPE % (b"{%b}" % b",".join(b'"%d":0' % number for number in range(BYTES // 10))), None),
    "payloads, of which the last one counts": (
        b'{"batchid": "a", %b}' % b",".join([b'"payload":[[1]]'] * (BYTES // 16)),
        None,
    ),
    "escapes": (ENVELOPE % (b'"' + rb"\u0041" * (BYTES // 6) + b'"'), None),
    "a batchid": (b'{"batchid": "%b", "payload": []}' % (b"x" * BYTES), Code.INVALID_REQUEST),
}


@pytest.mark.parametrize(("value", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_megabyte_that_is_dear_to_read_has_its_verdict(value: bytes, code: Code | None) -> None:
    limits = Limits()
    [outcome] = process_chunk([value], limits)
    assert (outcome.code if isinstance(outcome, Rejection) else None) == code
    assert len(outcome.answer or b"") <= limits.result_bytes_max
    if isinstance(outcome, Rejection):
        assert len(json.dumps(outcome.details)) < 10_000
        assert len(outcome.message) < 200
