"""A quicker way to the sums of a larger batch: arrays of machine integers instead of lists of Python's.

It answers only where it can prove that the models would say the same, and leaves all else to them: they are the
contract, and they alone reject. Needs the extra `fast`; importing this module without it raises an ImportError.
"""

import os
from codecs import BOM_UTF8

# numpy's linear algebra, which nobody here uses, starts a thread per core as it is imported; workers are forked from a
# process that must have one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import simdjson
from numpy.typing import NDArray

from domain.batch import BATCHID_CHARACTERS_MAX, Summed

# Shorter documents the models have read before numpy has begun: each of its calls takes about a microsecond.
PAYS_FROM_BYTES = 6_000

# The parser keeps its buffers, of up to fourteen times the longest document that it has read. The bound also keeps each
# length below 2**24, from where on simdjson no longer counts.
DOCUMENT_BYTES_MAX = 4_000_000

_MEMBERS_MAX = 16  # each is looked for from the first one on
_SUM_MAX = 2**63 - 1

_parser = simdjson.Parser(max_capacity=DOCUMENT_BYTES_MAX)


def quick_sums(value: bytes) -> Summed | None:
    """What there is to answer, or None where only the models can tell.

    Raises:
        MemoryError: The batch is too big for this worker.
    """
    try:
        document = _parser.parse(value)
        # simdjson skips a byte order mark, which is no JSON to the models.
        if not isinstance(document, simdjson.Object) or value.startswith(BOM_UTF8):
            return None
        named = _batchid_and_payload(document)
        if named is None:
            return None
        batchid, payload = named
        summed = _sums(payload, lists=_brackets(value) - 1)
    except (TypeError, ValueError, RuntimeError):  # no JSON, too long, no integer, none of 64 bits: so says simdjson
        return None
    return None if summed is None else (batchid, *summed)


def _batchid_and_payload(document: simdjson.Object) -> tuple[str, simdjson.Array] | None:
    """The two members that count, if they are what they should be and no other member can make a difference."""
    if len(document) > _MEMBERS_MAX:
        return None
    names = list(document)
    # Of duplicates simdjson finds the first, where the models take the last; and a name it reads only up to a NUL.
    if len({*names}) < len(names) or any("\0" in name for name in names):
        return None
    members = {name: document[name] for name in names}
    batchid, payload = members.pop("batchid", None), members.pop("payload", None)
    # The models' parser has other limits: of depth, and of a fraction's digits. (Lists are ruled out with the brackets.)
    if any(isinstance(ignored, simdjson.Object | float) for ignored in members.values()):
        return None
    if not isinstance(batchid, str) or not 1 <= len(batchid) <= BATCHID_CHARACTERS_MAX:
        return None
    return (batchid, payload) if isinstance(payload, simdjson.Array) else None


def _brackets(value: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(value, np.uint8) == ord("[")))


def _sums(payload: simdjson.Array, *, lists: int) -> tuple[list[int], int] | None:
    """The sum of each list, and how many integers there are."""
    lengths = np.fromiter(map(len, payload), np.int64, len(payload))  # type: ignore[arg-type] # no list: a TypeError
    integers = np.frombuffer(payload.as_buffer(of_type="i"), np.int64)
    # The buffer runs on through lists in lists. That the document has no bracket but the payload's own and one for each
    # of these lists proves that there are none. (One in a string is not worth telling apart.)
    if len(lengths) != lists:
        return None
    # numpy's sums overflow silently.
    if max(int(integers.max()), -int(integers.min())) * int(lengths.max()) > _SUM_MAX:
        return None
    return _sum_each(integers, lengths), len(integers)


def _sum_each(integers: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[int]:
    starts = lengths.cumsum() - lengths
    if lengths.all():
        sums = np.add.reduceat(integers, starts)
    else:  # where a list is empty, `reduceat` gives the integer that follows it
        filled = lengths > 0
        sums = np.zeros_like(lengths)
        sums[filled] = np.add.reduceat(integers, starts[filled])
    answer: list[int] = sums.tolist()
    return answer
