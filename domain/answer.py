"""Answers as bytes: every `Response` is encoded here, member by member, because building models would take longer."""

import json
from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from time import gmtime, strftime, time_ns

from pydantic_core import to_json

from domain.batch import Code, Detail


def encode_complete(batchid: str, sums: Sequence[int], started_at: str, completed_at: str) -> bytes:
    """The answer to a batch that was processed between two timestamps."""
    # Unlike `str` and `json`, `to_json` has no limit of 4,300 digits, which a sum may exceed where no integer does.
    response = to_json(sums).replace(b",", b", ").decode()
    return (
        f'{{"batchid": {encode_basestring(batchid)}, "response": {response}, "status": "complete", '
        f'"started_at": "{started_at}", "completed_at": "{completed_at}"}}'
    ).encode()


def encode_failed(batchid: str, code: Code, message: str, details: Sequence[Detail], started_at: str) -> bytes:
    """The answer to a batch for which there are no sums, begun at a timestamp and ending now."""
    response = {
        "batchid": batchid,
        "response": None,
        "status": "failed",
        "started_at": started_at,
        "completed_at": now(),
        "error": {"code": code, "message": message, "details": [detail._asdict() for detail in details]},
    }
    return json.dumps(response, ensure_ascii=False).encode()


def now() -> str:
    """The timestamp of this moment."""
    return timestamp(time_ns())


def timestamp(moment_ns: int) -> str:
    """RFC 3339 in UTC, to the microsecond, of a moment in nanoseconds since the epoch."""
    digits = str(moment_ns)
    return f"{_second(digits[:-9])}.{digits[-9:-3]}Z"


@lru_cache(maxsize=2)  # thousands of small batches share a second
def _second(since_epoch: str) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(int(since_epoch)))
