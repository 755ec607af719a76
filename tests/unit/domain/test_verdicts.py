"""The verdict on everything a producer may get wrong, and on what looks wrong and is not."""

import json
from typing import NamedTuple

import pytest

from domain.batch import Code, Limits, Rejection, Result
from domain.summation import process_chunk


class Wrong(NamedTuple):
    """A malformed value, its verdict, and for an invalid request whom to answer and where its first fault is."""

    name: str
    value: bytes
    code: Code
    batchid: str | None = None
    path: str | None = None


def broken(name: str, value: bytes) -> Wrong:
    return Wrong(name, value, Code.INVALID_JSON)


def integer(name: str, written: bytes) -> Wrong:
    value = b'{"batchid": "a", "payload": [[1, %b]]}' % written
    return Wrong(name, value, Code.INVALID_REQUEST, "a", "payload.0.1")


def payload(name: str, written: bytes, path: str) -> Wrong:
    return Wrong(name, b'{"batchid": "a", "payload": %b}' % written, Code.INVALID_REQUEST, "a", path)


def batchid(name: str, written: bytes) -> Wrong:
    return Wrong(name, b'{"batchid": %b, "payload": []}' % written, Code.INVALID_REQUEST, None, "batchid")


def document(name: str, value: bytes) -> Wrong:
    return Wrong(name, value, Code.INVALID_REQUEST, None, "")


GOOD = '{"batchid": "a", "payload": [[1]]}'

WRONG = [
    broken("no bytes at all", b""),
    broken("white space only", b" \n"),
    broken("not JSON", b"batchid=a"),
    broken("cut off", GOOD[:-1].encode()),
    broken("trailing characters", GOOD.encode() + b"x"),
    broken("a trailing NUL", GOOD.encode() + b"\0"),
    broken("two documents", GOOD.encode() * 2),
    broken("JSON lines", (GOOD + "\n").encode() * 2),
    broken("a trailing comma", b'{"batchid": "a", "payload": [[1,]]}'),
    broken("single quotes", b"{'batchid': 'a', 'payload': []}"),
    broken("a comment", b'{"batchid": "a", /* why */ "payload": []}'),
    broken("a byte order mark", b"\xef\xbb\xbf" + GOOD.encode()),
    broken("UTF-16 with a mark", GOOD.encode("utf-16")),
    broken("UTF-16 without one", GOOD.encode("utf-16-le")),
    broken("UTF-32", GOOD.encode("utf-32")),
    broken("Latin-1", '{"batchid": "é", "payload": []}'.encode("latin-1")),
    broken("invalid UTF-8 in an unknown member", b'{"batchid": "a", "payload": [], "x": "\xff"}'),
    broken("invalid UTF-8 in a name", b'{"batchid": "a", "payload": [], "\xff": 1}'),
    broken("a surrogate in UTF-8", b'{"batchid": "\xed\xa0\x80", "payload": []}'),
    broken("a lone leading surrogate", rb'{"batchid": "\ud800", "payload": []}'),
    broken("a lone trailing surrogate", rb'{"batchid": "\udc00", "payload": []}'),
    broken("a lone surrogate in an unknown member", rb'{"batchid": "a", "payload": [], "x": "\ud800"}'),
    broken("a line break in a string", b'{"batchid": "a\n", "payload": []}'),
    broken("an unknown escape", rb'{"batchid": "\q", "payload": []}'),
    broken("a leading zero", b'{"batchid": "a", "payload": [[01]]}'),
    broken("a plus sign", b'{"batchid": "a", "payload": [[+1]]}'),
    broken("hexadecimal", b'{"batchid": "a", "payload": [[0x10]]}'),
    broken("digits in groups", b'{"batchid": "a", "payload": [[1_000]]}'),
    broken("4,301 digits", b'{"batchid": "a", "payload": [[%b]]}' % (b"1" * 4301)),
    broken("4,301 digits in an unknown member", b'{"batchid": "a", "payload": [], "x": %b}' % (b"1" * 4301)),
    broken("a payload nested too deep", b'{"batchid": "a", "payload": %b}' % (b"[" * 300 + b"]" * 300)),
    broken("nested without end", b"[" * 1_000_000),
    document("null", b"null"),
    document("a list", b"[]"),
    document("a string", b'"a"'),
    document("a number", b"1"),
    document("NaN", b"NaN"),
    batchid("batchid null", b"null"),
    batchid("batchid a number", b"7"),
    batchid("batchid a list", b'["a"]'),
    batchid("batchid empty", b'""'),
    batchid("batchid of 257 characters", b'"' + b"x" * 257 + b'"'),
    batchid("batchid of 257 wide characters", b'"' + "😀".encode() * 257 + b'"'),
    Wrong("batchid missing", b'{"payload": [[1]]}', Code.INVALID_REQUEST, None, "batchid"),
    Wrong("batchid in capitals", b'{"BatchId": "a", "payload": []}', Code.INVALID_REQUEST, None, "batchid"),
    Wrong("everything missing", b"{}", Code.INVALID_REQUEST, None, "batchid"),
    Wrong("payload missing", b'{"batchid": "a"}', Code.INVALID_REQUEST, "a", "payload"),
    payload("payload null", b"null", "payload"),
    payload("payload a string", b'"[[1]]"', "payload"),
    payload("payload an object", b'{"0": [1]}', "payload"),
    payload("payload of integers", b"[1, 2]", "payload.0"),
    payload("a list null", b"[[1], null]", "payload.1"),
    payload("a list as an object", b"[{}]", "payload.0"),
    payload("a list as a string", b'["12"]', "payload.0"),
    payload("a list nested deeper", b"[[1], [2, [3]]]", "payload.1.1"),
    integer("1.0", b"1.0"),
    integer("0.5", b"0.5"),
    integer("an exponent", b"1e2"),
    integer("an endless exponent", b"1e999"),
    integer("true", b"true"),
    integer("false", b"false"),
    integer("null", b"null"),
    integer("a string", b'"1"'),
    integer("NaN", b"NaN"),
    integer("Infinity", b"Infinity"),
    integer("-Infinity", b"-Infinity"),
    integer("an object", b"{}"),
    Wrong(
        "the last duplicate wrong",
        b'{"batchid": "a", "payload": [], "payload": 1}',
        Code.INVALID_REQUEST,
        "a",
        "payload",
    ),
]

RIGHT = {
    "white space anywhere": (b'\t\r\n {"batchid"\n:"a" , "payload":[ [ 1 ,\t2 ] ] }\n\n', [3]),
    "members in another order": (b'{"payload": [[1]], "batchid": "a"}', [1]),
    "unknown members": (b'{"batchid": "a", "payload": [[1]], "x": {"payload": null}, "": []}', [1]),
    "NaN in an unknown member": (b'{"batchid": "a", "payload": [[1]], "x": NaN, "y": -Infinity}', [1]),
    "an unknown member 199 deep": (
        b'{"batchid": "a", "payload": [], "x": %b}' % (b"[" * 199 + b"]" * 199),
        [],
    ),
    "the last duplicate right": (b'{"batchid": 1, "payload": 2, "payload": [[3]], "batchid": "a"}', [3]),
    "names written with escapes": (rb'{"\u0062atchid": "\u0061", "p\u0061yload": [[1]]}', [1]),
    "minus zero": (b'{"batchid": "a", "payload": [[-0]]}', [0]),
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_what_is_wrong_is_rejected_with_its_code_and_place(wrong: Wrong) -> None:
    [outcome] = process_chunk([wrong.value], Limits())

    assert isinstance(outcome, Rejection)
    assert (outcome.code, outcome.batchid) == (wrong.code, wrong.batchid)
    assert (outcome.answer is None) == (wrong.batchid is None)
    assert next((detail.path for detail in outcome.details), None) == wrong.path


@pytest.mark.parametrize(("value", "sums"), RIGHT.values(), ids=RIGHT)
def test_what_is_unusual_but_right_is_summed(value: bytes, sums: list[int]) -> None:
    [outcome] = process_chunk([value], Limits())

    assert isinstance(outcome, Result)
    assert outcome.batchid == "a"
    assert json.loads(outcome.answer)["response"] == sums


@pytest.mark.parametrize("depth", range(190, 210))
def test_every_depth_around_the_parsers_limit_has_a_verdict(depth: int) -> None:
    """The details are found by a second parser, whose limit must not be another one."""
    nested = b"[" * depth + b"]" * depth

    outcomes = process_chunk([nested, b'{"batchid": "a", "payload": %b}' % nested, b'{"x": %b}' % nested], Limits())

    assert {outcome.code for outcome in outcomes if isinstance(outcome, Rejection)} <= {
        Code.INVALID_JSON,
        Code.INVALID_REQUEST,
    }
    assert not any(isinstance(outcome, Result) for outcome in outcomes)
