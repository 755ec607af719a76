r"""Records that the client cannot decode, because a header's name is no text. Any producer can write one.

Kafka takes names as bytes, and aiokafka as UTF-8: one such record would end every reader of its topic. Here, bytes that are
no UTF-8 are written out (`\xff`), in answers and dead letters too.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from consumer.wire.layout import HEADER_BYTES, LENGTH_END, varint

TIMES = struct.Struct(">q13xh4xqq")  # first offset, attributes, first and last timestamp
LOG_APPEND_TIME = 1 << 3  # the broker's time is every record's


class TolerantRecord(NamedTuple):
    """A `Record`."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def tolerantly(batches: bytes) -> Iterator[TolerantRecord]:
    """The records of *batches* of message format 2, which are not compressed.

    Raises:
        IndexError: There are more by their count than by their bytes.
    """
    at = 0
    while at < len(batches):
        reader = _Reader(batches, at + HEADER_BYTES)
        base_offset, attributes, first_timestamp, last_timestamp = TIMES.unpack_from(batches, at)
        (count,) = struct.unpack_from(">i", batches, at + HEADER_BYTES - 4)
        for _ in range(count):
            record = reader.record(base_offset, first_timestamp)
            yield record._replace(timestamp=last_timestamp) if attributes & LOG_APPEND_TIME else record
        at += LENGTH_END + struct.unpack_from(">i", batches, at + 8)[0]


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def record(self, base_offset: int, first_timestamp: int) -> TolerantRecord:
        self._number()  # its length
        self._at += 1  # its attributes, of which there are none
        timestamp = first_timestamp + self._number()
        offset = base_offset + self._number()
        key, value = self._bytes(), self._bytes()
        headers = [
            ((self._bytes() or b"").decode(errors="backslashreplace"), self._bytes()) for _ in range(self._number())
        ]
        return TolerantRecord(offset, timestamp, key, value, cast("list[tuple[str, bytes]]", headers))

    def _number(self) -> int:
        value, self._at = varint(self._data, self._at)
        return value

    def _bytes(self) -> bytes | None:
        size = self._number()
        if size < 0:
            return None
        since, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise IndexError
        return self._data[since : self._at]
