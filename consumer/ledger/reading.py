"""What an outcome says: for which request it is, its verdict, and a digest of what it tells."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from consumer.ledger.entry import COMPLETE, VERDICTS, Entry

DIGITS_MAX = 19  # of a partition or an offset

# An integer becomes its digits, as bytes: there may be more than Python likes to convert, and "3" is not 3.
_decode = json.JSONDecoder(parse_int=str.encode).decode


class Source(NamedTuple):
    """Where a request stands."""

    topic: str
    partition: int
    offset: int


def source_in(text: bytes) -> Source | None:
    """The request that *text* names, as topic/partition/offset."""
    topic, _, at = text.decode(errors="replace").partition("/")
    partition, _, offset = at.partition("/")
    if not all(len(each) <= DIGITS_MAX and each.isascii() and each.isdecimal() for each in (partition, offset)):
        return None
    return Source(topic, int(partition), int(offset))


def told(answer: Entry) -> tuple[str, int] | None:
    """The verdict of an answer, and the digest of what it says; None if it is no answer at all."""
    try:
        says = _decode((answer.value or b"").decode())
        verdict = COMPLETE if says["status"] == COMPLETE else says["error"]["code"]
        if verdict not in VERDICTS or not isinstance(says["batchid"], str):
            return None
        return verdict, answer_digest(answer.key, says["batchid"], says["response"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def answer_digest(key: bytes | None, batchid: str | None, sums: Sequence[bytes]) -> int:
    """Of what an answer says; *sums* as the digits of each."""
    return digest((batchid or "").encode() if key is None else key, batchid, sums)


def digest(*parts: object) -> int:
    """A number for *parts*, never 0; 64 bits, so that two differing ones are all but never taken for the same."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest()) or 1
