"""A quicker way to the sums of a smaller batch: by a decoder that is made for requests, and knows nothing else.

It answers only where the models would say the same, and leaves all else to them: they are the contract, and they alone
reject.
"""

from typing import Annotated

import msgspec

from domain.batch import BATCHID_CHARACTERS_MAX, Summed


class _Request(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A `Request` with nothing besides. What is unknown the models ignore, but they look at it."""

    batchid: Annotated[str, msgspec.Meta(min_length=1, max_length=BATCHID_CHARACTERS_MAX)]
    payload: list[list[int]]


_decode = msgspec.json.Decoder(_Request).decode


def direct_sums(value: bytes) -> Summed | None:
    """What there is to answer, or None where only the models can tell.

    Raises:
        MemoryError: The batch is too big for this worker.
    """
    try:
        request = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return request.batchid, [sum(integers) for integers in request.payload], sum(map(len, request.payload))
