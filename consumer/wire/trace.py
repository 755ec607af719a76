"""W3C Trace Context, as far as workers need it: whether a request is traced, and what its answer says in its place.

The id of the service's own span follows from where the request stands. So the worker, which writes it into the answer,
and the service, which sends the span, agree on it without a word, and a redelivery is the same span again.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

HEADER = "traceparent"
SAMPLED = 0x01
FLAGS_KNOWN = 0x03  # sampled, and that the trace id is random; the others must be zero in what we write

# Version, trace id, span id, flags; `ff` is no version, and zeros alone are no id. Later versions may have more behind.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
)


class Parent(NamedTuple):
    """The span that a request was sent in."""

    trace_id: int
    span_id: int
    flags: int


def parse(traceparent: bytes | None) -> Parent | None:
    """What *traceparent* says; None if that is nothing valid."""
    found = _TRACEPARENT.fullmatch(traceparent or b"")
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == b"00" and more is not None:
        return None
    return Parent(int(trace_id, 16), int(span_id, 16), int(flags, 16) & FLAGS_KNOWN)


def sampled(headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    """The traceparent among *headers*, if there is one, it is valid, and it says that the trace is recorded."""
    found = [value for name, value in headers if name == HEADER]
    if len(found) != 1:  # which of several would count?
        return None
    parent = parse(found[0])
    return found[0] if parent is not None and parent.flags & SAMPLED else None


def span_id(group_id: str, source: bytes) -> int:
    """The id of the span in which *group_id* processes the request at *source*: 64 bits, never zero.

    Two groups that read one topic have a span each.
    """
    return int.from_bytes(blake2b(b"%b/%b" % (group_id.encode(), source), digest_size=8).digest()) or 1


def continued(traceparent: bytes, span_id: int) -> bytes:
    """The valid *traceparent* as whoever comes after the span *span_id* is to see it."""
    return b"00-%b-%016x-%02x" % (traceparent[3:35], span_id, int(traceparent[53:55], 16) & FLAGS_KNOWN)
