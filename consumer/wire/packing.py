"""Records into record batches; where they are many, in workers (T22).

aiokafka's builder makes an object of each record, clears the room of a full batch for each batch, and takes a checksum
that cannot be kept, for it covers who sends the batch and as which number.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, count
from typing import Literal, NamedTuple

from aiokafka import codec

from consumer.chunk import Encoded
from consumer.wire.layout import HEADER_BYTES, as_varint

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
CODECS: dict[Compression, int] = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_COMPRESS: dict[Compression, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": codec.gzip_encode,
    "snappy": codec.snappy_encode,
    "lz4": codec.lz4_encode,
    "zstd": codec.zstd_encode,
}

# What is to stand in a topic: key, value, headers, and the timestamp in milliseconds (None: now).
Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int | None]

_NUMBERS = [as_varint(number) for number in range(4_096)]  # the sizes of whatever is not large
_STARTS = [b"\0\0" + number for number in _NUMBERS]  # of records that are all made at once


class Packing(NamedTuple):
    """How records are put together to batches: of so many bytes at most, unless one record alone has more."""

    batch_bytes_max: int
    compression: Compression


def encode(messages: Iterable[Message], packing: Packing) -> list[Encoded]:
    """*messages*, in order, in as few batches as *packing* allows."""
    rows = [*messages]
    now_ms = _now_ms()
    return batches(
        [key for key, _, _, _ in rows],
        [value for _, value, _, _ in rows],
        [block([header(*one) for one in headers]) for _, _, headers, _ in rows],
        packing,
        times_ms=[now_ms if made_at is None else made_at for _, _, _, made_at in rows],
    )


def header(name: str, value: bytes | None) -> bytes:
    """A header as it stands in a record."""
    return _name(name) + _sized(value)


def block(headers: Sequence[bytes]) -> bytes:
    """All of a record's *headers*."""
    return as_varint(len(headers)) + b"".join(headers)


@lru_cache(maxsize=256)  # most records have the same
def _name(name: str) -> bytes:
    return _sized(name.encode())


def batches(
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    headers: Sequence[bytes],
    packing: Packing,
    *,
    times_ms: Sequence[int] = (),
) -> list[Encoded]:
    """Records of these *keys*, *values* and blocks of *headers*, in order, in as few batches as *packing* allows.

    Without *times_ms* they were all made now.
    """
    packed: list[Encoded] = []
    at = 0
    while at < len(values):
        times = times_ms[at:] or [_now_ms()]
        packed.append(_batch(keys[at:], values[at:], headers[at:], times, packing))
        at += packed[-1].records
    return packed


def _batch(
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    headers: Sequence[bytes],
    times_ms: Sequence[int],
    packing: Packing,
) -> Encoded:
    """As many records as a batch may have, but one at least. Where there is one time alone, it is that of all."""
    parts: list[bytes] = []
    size_bytes, size_bytes_max = HEADER_BYTES, packing.batch_bytes_max
    for start, key, value, rest in zip(_starts(times_ms), keys, values, headers):  # noqa: B905 - starts have no end
        try:
            record = b"".join((start, _NUMBERS[len(key)], key, _NUMBERS[len(value)], value, rest))  # type: ignore[arg-type]
            size = _NUMBERS[len(record)]
        except (IndexError, TypeError):  # something is large, or is not there
            record = b"".join((start, _sized(key), _sized(value), rest))
            size = as_varint(len(record))
        size_bytes += len(size) + len(record)
        if size_bytes > size_bytes_max and parts:
            break
        parts.append(size)
        parts.append(record)
    records = len(parts) // 2
    data = _COMPRESS[packing.compression](b"".join(parts))
    return Encoded(records, times_ms[0], max(times_ms[:records]), CODECS[packing.compression], data)


def _starts(times_ms: Sequence[int]) -> Iterator[bytes]:
    """How each record begins: with no attributes, and how long after the first one and how many records behind it it is."""
    if len(times_ms) == 1:
        return chain(_STARTS, (b"\0\0" + as_varint(delta) for delta in count(len(_STARTS))))
    since_ms = times_ms[0]
    return (b"\0" + as_varint(made_at - since_ms) + as_varint(delta) for delta, made_at in enumerate(times_ms))


def _sized(data: bytes | None) -> bytes:
    return as_varint(-1) if data is None else as_varint(len(data)) + data


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
