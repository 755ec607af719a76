"""The corpus: requests that have led a reader astray, each with how. Every property of bytes tries all of them, ever after.

What a fuzzer finds goes in here, with the reason. So do those over which readers of JSON are known to differ, for a
service that reads in two ways (the models, and the quick one) must not differ with itself.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import example

Test = TypeVar("Test", bound=Callable[..., Any])


def with_payload(payload: bytes) -> bytes:
    """A request with this payload."""
    return b'{"batchid": "a", "payload": %b}' % payload


def with_member(member: bytes) -> bytes:
    """A good request with one member more."""
    return b'{"batchid": "a", "payload": [[1]], %b}' % member


MARKER = "qUoTeD7"  # nothing that is said about a request may quote it

CORPUS = {
    "Python's json and simdjson read on behind a byte order mark": b"\xef\xbb\xbf" + with_payload(b"[[1]]"),
    "Python's json guesses that this is UTF-16": with_payload(b"[[1]]").decode().encode("utf-16-le"),
    "Python's json takes NaN for a number": with_payload(b"[[NaN]]"),
    "in Python, true is an integer": with_payload(b"[[true]]"),
    "Python's json reads an infinity where a float overflows": with_member(b'"x": 1e400'),
    "Python's json lets a lone surrogate pass": rb'{"batchid": "\ud800", "payload": [[1]]}',
    "and so written as UTF-8 must not be": b'{"batchid": "\xed\xa0\x80", "payload": [[1]]}',
    "more digits than Python converts": with_payload(b"[[%b]]" % (b"1" * 4301)),
    "so many, where nobody looks": with_member(b'"x": %b' % (b"1" * 4301)),
    "a sum that leaves 64 bits, of integers that do not": with_payload(b"[[9223372036854775807, 1]]"),
    "simdjson refuses integers of more than 64 bits": with_payload(b"[[18446744073709551616]]"),
    "simdjson reads deeper than the models, where nobody looks": with_member(b'"x": %b' % (b"[" * 300 + b"]" * 300)),
    "lists in lists, of which the lengths add up": with_payload(b"[[[]], [[1, 2]]]"),
    "a list too deep in the place of an integer": with_payload(b"[[[1]], 2]"),
    "a name that goes on after a NUL is not that name": with_member(rb'"payload\u0000": 1'),
    "of two payloads the last one counts": with_member(b'"payload": [[2]]'),
    "also if its name is written otherwise": with_member(rb'"p\u0061yload": [[2]]'),
    "minus zero is an integer": with_payload(b"[[-0]]"),
    "a NUL behind the document": with_payload(b"[[1]]") + b"\0",
    "the models quote a string that should be an integer": with_payload(b'[["%b"]]' % MARKER.encode()),
    "and so may a parser, what it stumbled over": with_payload(b'{"%b": %b}' % (MARKER.encode(), MARKER.encode())),
}


def with_corpus(as_argument: Callable[[bytes], object] = lambda value: value) -> Callable[[Test], Test]:
    """Have a property tried on all of them, too."""

    def add(test: Test) -> Test:
        for reason, value in CORPUS.items():
            test = example(as_argument(value)).via(reason)(test)
        return test

    return add
