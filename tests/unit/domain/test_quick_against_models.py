"""The quick ways and the models are held together, over documents that nobody would think of.

`FUZZ_DOCUMENTS` says how many of them there are, `FUZZ_SEED` which ones.
"""

import json
import os
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

pytest.importorskip("simdjson", reason="the extra `fast` is not installed")

from domain.batch import Summed
from domain.direct import direct_sums
from domain.quick import quick_sums
from domain.summation import _by_models
from tests.support.corpus import CORPUS

DOCUMENTS = int(os.environ.get("FUZZ_DOCUMENTS", "50_000"))
SEED = os.environ.get("FUZZ_SEED", "0")

INTEGERS = [0, 10**6, 2**31, 2**53 + 1, 2**62, -(2**62), 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64]
BATCHIDS = ["a", "é", "[", "😀", "x" * 256, "x" * 257, "", "\0", '"\\']
NAMES = ["x", "y", "x\0", "payload\0", "batchid\0", "", "payload", "batchid"]
DEEP = json.loads('{"x":' * 250 + "1" + "}" * 250)  # too deep for the models alone
IGNORED: list[object] = [1, None, True, "s", "[", 1.5, [], [[]], {}, {"payload": [[1]]}, 2**64 - 1, 2**64, [[1]], DEEP]

# What slips of a pen, or of a mind, put into a document.
FRAGMENTS = [
    *rb"""
        " , [ ] { } - . 0 : \ +1 01 1e 1e5 1.0 -0 -0.0 1E400 null true NaN Infinity "a" /**/
        [] [[]] ,[] [], [1] [[1,2]] {"a":1} \u0000 \ud800 \ud83d\ude00 \u005b \/ batchid payload
        9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615
        4611686018427387904,4611686018427387904 "batchid":"b", "payload":[[7]], ,"payload":[[7]] ,"batchid":7 ,"x":1
        ,"x\u0000":[] ,"payload\u0000":1 ,"batchid\u0000y":"q" "x":{}, "x":"[",
    """.split(),
    *(b" ", b"\n", b"\t", b"\0", b"\x0b", b"\x0c", b"\x1f", b"\x7f", b"\xa0", b"\xff", b"\xc3\xa9", b"\xe2\x82"),
    *(b"\xed\xa0\x80", b"\xef\xbb\xbf", b"x" * 254, b"1" * 4301, b"[" * 201 + b"]" * 201),
]

Way = Callable[[bytes], Summed | None]

WAYS: list[Way] = [quick_sums, direct_sums]
EACH_WAY = pytest.mark.parametrize("way", WAYS)


def by_models(value: bytes) -> object:
    """The batchid and sums, or that there are none."""
    try:
        return _by_models(value)
    except ValidationError:
        return "rejected"


def assert_held_together(way: Way, value: bytes) -> None:
    """Where *way* leaves it to the models, it is they that say it."""
    answer = way(value)
    assert answer is None or answer == by_models(value), value


@EACH_WAY
@pytest.mark.parametrize("value", CORPUS.values(), ids=CORPUS)
def test_they_find_the_same_in_what_has_led_readers_astray(way: Way, value: bytes) -> None:
    assert_held_together(way, value)


lists = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**6), 10**6), max_size=40)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.lists(lists, max_size=40), st.booleans())
def test_they_find_the_same_in_whatever_is_valid(batchid: str, payload: list[list[int]], ensure_ascii: bool) -> None:
    value = json.dumps({"batchid": batchid, "payload": payload}, ensure_ascii=ensure_ascii).encode()
    for way in WAYS:
        assert_held_together(way, value)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.integers(-(10**6), 10**6), max_size=9), min_size=1).filter(any))
def test_plain_payloads_are_never_left_to_the_models(payload: list[list[int]]) -> None:
    """Otherwise a quick way could agree with the models by never answering."""
    value = json.dumps({"batchid": "a", "payload": payload}).encode()

    for way in WAYS:
        assert way(value) == ("a", [sum(integers) for integers in payload], sum(map(len, payload)))


@EACH_WAY
def test_they_find_the_same_in_documents_that_slips_have_changed(way: Way) -> None:
    answered = 0
    for value in slipped(Random(SEED), DOCUMENTS):
        answer = way(value)
        if answer is not None:  # otherwise it is the models that say it
            answered += 1
            assert answer == by_models(value), value

    assert answered > DOCUMENTS // 100


def slipped(random: Random, count: int) -> Iterator[bytes]:
    """*count* documents, each a few slips away from one that is nearly a request."""
    document = b""
    for number in range(count):
        if number % 25 == 0:
            document = near_request(random)
        value = document
        for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
            value = slip(random, value)
        yield value


def near_request(random: Random) -> bytes:
    many = random.choice(((0, 1, 2, 3), (0, 1, 2, 3), (0, 5, 12, 40)))  # the parser takes 64 bytes at a time
    payload = [[integer(random) for _ in range(random.choice(many))] for _ in range(random.choice(many))]
    members: list[tuple[str, object]] = [("batchid", random.choice(BATCHIDS)), ("payload", payload)]
    members += [(random.choice(NAMES), random.choice(IGNORED)) for _ in range(random.choice((0, 0, 0, 1, 2)))]
    random.shuffle(members)
    comma, colon = random.choice([(",", ":"), (", ", ": ")])
    ascii_only = random.random() < 0.5
    written = (
        json.dumps(name, ensure_ascii=ascii_only)
        + colon
        + json.dumps(member, separators=(comma, colon), ensure_ascii=ascii_only)
        for name, member in members
    )
    return f"{{{comma.join(written)}}}".encode()


def integer(random: Random) -> int:
    return random.choice(INTEGERS) if random.random() < 0.1 else random.randint(-999, 999)


def slip(random: Random, value: bytes) -> bytes:
    """*value* with a few of its bytes, or none, replaced: by a fragment, by themselves twice, by one byte, by others."""
    start = random.randint(0, len(value))
    end = min(len(value), start + random.choice((0, 0, 1, 1, 2, 5)))
    elsewhere = random.randint(0, len(value))
    pieces = [
        random.choice(FRAGMENTS),
        value[start:end] * 2,
        random.randbytes(1),
        value[elsewhere : elsewhere + random.randint(1, 12)],
    ]
    [piece] = random.choices(pieces, weights=(7, 1, 1, 1))
    return value[:start] + piece + value[end:]
