"""The quick way to the sums: what it answers, and what it must leave to the models."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("simdjson", reason="the extra `fast` is not installed")

from domain import summation
from domain.batch import Limits, Rejection, Result, Summed
from domain.quick import DOCUMENT_BYTES_MAX, PAYS_FROM_BYTES, quick_sums
from domain.summation import process_chunk

INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)


def with_payload(payload: bytes) -> bytes:
    return b'{"batchid": "a", "payload": %b}' % payload


def with_member(member: bytes) -> bytes:
    return b'{"batchid": "a", "payload": [[1]], %b}' % member


ANSWERED = {
    "the example": (b'{"batchid": "a", "payload": [[1, 2], [3, 4]]}', [3, 7]),
    "an empty list first": (with_payload(b"[[], [1, 2]]"), [0, 3]),
    "an empty list between": (with_payload(b"[[1], [], [], [2]]"), [1, 0, 0, 2]),
    "an empty list last": (with_payload(b"[[1], [2], []]"), [1, 2, 0]),
    "minus zero": (with_payload(b"[[-0]]"), [0]),
    "the greatest integer": (with_payload(b"[[%d]]" % INT64_MAX), [INT64_MAX]),
    "sums that nearly overflow": (with_payload(b"[[%d, %d]]" % (INT64_MAX // 2, INT64_MAX // 2)), [INT64_MAX - 1]),
    "integers that no float holds": (
        with_payload(b"[[%d], [%d]]" % (2**53 + 1, -(2**53) - 1)),
        [2**53 + 1, -(2**53) - 1],
    ),
    "members in another order": (b'{"payload": [[1]], "batchid": "a"}', [1]),
    "names written with escapes": (rb'{"\u0062atchid": "\u0061", "p\u0061yload": [[1]]}', [1]),
    "white space anywhere": (b'\t\r\n {"batchid"\n:"a" , "payload":[ [ 1 ,\t2 ] ] }\n\n', [3]),
    "plain members that are ignored": (with_member(b'"x": "\\u0000", "y": null, "z": -1, "": true'), [1]),
}

LEFT = {
    "nothing": b"",
    "no object": b"[[1]]",
    "a byte order mark": b"\xef\xbb\xbf" + with_payload(b"[[1]]"),
    "bytes behind the document": with_payload(b"[[1]]") + b"\0",
    "two documents": with_payload(b"[[1]]") * 2,
    "a float": with_payload(b"[[1, 1.0]]"),
    "an exponent": with_payload(b"[[1e3]]"),
    "minus zero as a float": with_payload(b"[[-0.0]]"),
    "a boolean": with_payload(b"[[1, true]]"),
    "null": with_payload(b"[[null]]"),
    "NaN": with_payload(b"[[NaN]]"),
    "a string of digits": with_payload(b'[["1"]]'),
    "strings for lists": with_payload(b'["1", ""]'),
    "objects for lists": with_payload(b"[{}, [1]]"),
    "an object for the payload": with_payload(b'{"0": [1]}'),
    "integers for lists": with_payload(b"[1, 2]"),
    "a list nested deeper": with_payload(b"[[1], [[2]]]"),
    "an empty list nested deeper": with_payload(b"[[1], [[]]]"),
    "nested lists of which the lengths add up": with_payload(b"[[[]], [[1, 2]]]"),
    "a nested list in the place of one that is missing": with_payload(b"[[[1]], 2]"),
    "an integer just above 64 bits": with_payload(b"[[%d]]" % (INT64_MAX + 1)),
    "an integer just below": with_payload(b"[[%d]]" % (INT64_MIN - 1)),
    "an integer of twenty digits": with_payload(b"[[18446744073709551616]]"),
    "4,301 digits": with_payload(b"[[%b]]" % (b"1" * 4301)),
    "sums that may overflow": with_payload(b"[[%d, 1], [1, 1]]" % INT64_MAX),
    "negative sums that may overflow": with_payload(b"[[%d, -1]]" % INT64_MIN),
    "a leading zero": with_payload(b"[[01]]"),
    "an empty batchid": b'{"batchid": "", "payload": [[1]]}',
    "a batchid of 257 characters": b'{"batchid": "%b", "payload": [[1]]}' % (b"x" * 257),
    "a batchid that is a number": b'{"batchid": 1, "payload": [[1]]}',
    "a batchid with a lone surrogate": rb'{"batchid": "\ud800", "payload": [[1]]}',
    "a batchid that is not UTF-8": b'{"batchid": "\xff", "payload": [[1]]}',
    "a bracket in the batchid": b'{"batchid": "[", "payload": [[1]]}',
    "a batchid missing": b'{"payload": [[1]]}',
    "a payload missing": b'{"batchid": "a"}',
    "a second batchid": with_member(b'"batchid": 1'),
    "a second payload": with_member(b'"payload": [[2]]'),
    "a second payload under another spelling": with_member(rb'"p\u0061yload": [[2]]'),
    "a name that goes on after a NUL": with_member(rb'"payload\u0000": 1'),
    "a list to be ignored, nested beyond the models' limit": with_member(b'"x": %b' % (b"[" * 300 + b"]" * 300)),
    "an object to be ignored": with_member(b'"x": {}'),
    "an object that its name hides": with_member(rb'"x": 1, "x\u0000": {}'),
    "a float to be ignored": with_member(b'"x": 0.%b' % (b"1" * 5000)),
    "4,301 digits to be ignored": with_member(b'"x": %b' % (b"1" * 4301)),
    "a lone surrogate to be ignored": with_member(rb'"x": "\udc00"'),
    "no UTF-8 to be ignored": with_member(b'"x": "\xed\xa0\x80"'),
    "more members than are worth a search": with_member(b", ".join(b'"%d": 0' % name for name in range(15))),
    "more than the parser may keep": with_payload(b"[[1]]").ljust(DOCUMENT_BYTES_MAX + 1),
}


@pytest.mark.parametrize(("value", "sums"), ANSWERED.values(), ids=ANSWERED)
def test_what_it_can_prove_it_answers(value: bytes, sums: list[int]) -> None:
    answer = quick_sums(value)
    assert answer is not None
    assert answer[:2] == ("a", sums)


@pytest.mark.parametrize("value", LEFT.values(), ids=LEFT)
def test_what_it_cannot_prove_it_leaves_to_the_models(value: bytes) -> None:
    assert quick_sums(value) is None


@pytest.mark.parametrize(
    "batchid", ["x" * 256, "😀" * 256, "\x00", '"\\/\n'], ids=["256", "256 wide", "NUL", "escapes"]
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_a_batchid_is_counted_and_returned_in_characters(batchid: str, ensure_ascii: bool) -> None:
    value = json.dumps({"batchid": batchid, "payload": [[1]]}, ensure_ascii=ensure_ascii).encode()

    assert quick_sums(value) == (batchid, [1], 1)


def test_sums_and_integers_come_as_pythons_own() -> None:
    answer = quick_sums(with_payload(b"[[1], []]"))

    assert answer is not None
    assert [type(part) for part in (answer[0], *answer[1], answer[2])] == [str, int, int, int]


def test_a_document_that_it_left_does_not_spoil_the_next_one() -> None:
    value = with_payload(b"[[1, 2]]")

    for other in LEFT.values():
        quick_sums(other)
        assert quick_sums(value) == ("a", [3], 2)


def test_only_batches_for_which_it_pays_go_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def remembering(value: bytes) -> Summed | None:
        seen.append(value)
        return quick_sums(value)

    monkeypatch.setattr(summation, "quick_sums", remembering)
    long_enough = with_payload(b"[[1, 2]]").ljust(PAYS_FROM_BYTES)
    too_short = long_enough[:-1]

    outcomes = process_chunk([too_short, None, long_enough], Limits())

    assert seen == [long_enough]
    assert [type(outcome) for outcome in outcomes] == [Result, Rejection, Result]


def test_a_batch_that_it_leaves_gets_its_exact_sums_all_the_same() -> None:
    value = with_payload(b"[[%d, 1], [%b]]" % (INT64_MAX, b"9" * 4000)).ljust(PAYS_FROM_BYTES)

    [outcome] = process_chunk([value], Limits())

    assert isinstance(outcome, Result)
    assert json.loads(outcome.answer)["response"] == [INT64_MAX + 1, int("9" * 4000)]


def test_without_the_extra_the_models_see_to_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "domain.quick")
    monkeypatch.setitem(sys.modules, "simdjson", None)
    without = runpy.run_path(summation.__file__)
    value = with_payload(b"[[1, 2]]").ljust(PAYS_FROM_BYTES)

    [outcome] = without["process_chunk"]([value], Limits())

    assert "quick_sums" not in without
    assert json.loads(outcome.answer)["response"] == [3]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_importing_it_starts_no_thread() -> None:
    """Workers are forked from a process that has imported it, and a fork takes one thread along."""
    count = "import os, domain.quick; print(len(os.listdir('/proc/self/task')))"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}

    run = subprocess.run(
        [sys.executable, "-c", count],
        cwd=Path(summation.__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert run.stdout.strip() == "1"
