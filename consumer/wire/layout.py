"""How a record batch is laid out: Kafka's message format 2.

A header of `HEADER_BYTES`, then the records. Sizes and deltas within a record are varints: seven bits a byte, the lowest
first, of a number whose sign is its lowest bit.
"""

import struct
from functools import lru_cache

from crc32c import crc32c

from consumer.chunk import Encoded

HEADER_BYTES = 61
LENGTH_END = 12  # the length of a batch counts from here,
CHECKED_FROM = 21  # and the checksum is over all from here
CODEC_MASK = 0b111  # of the attributes
TRANSACTIONAL = 1 << 4

# First offset, length, epoch of the leader, format, checksum;
_START = struct.Struct(">qiibI")
# and what that covers: attributes, the last offset's delta, first and last time, producer, number of records.
_CHECKED = struct.Struct(">hiqqqhii")
_FORMAT = 2
_UNKNOWN = -1

Producer = tuple[int, int, int]
"""Its id and epoch, and the number of the batch's first record among all that it sends to the partition."""

NOBODY: Producer = (_UNKNOWN, _UNKNOWN, _UNKNOWN)


def header(batch: Encoded, *, producer: Producer = NOBODY, transactional: bool = False) -> bytes:
    """What stands before the records of *batch* when it is sent."""
    attributes = batch.codec | transactional * TRANSACTIONAL
    times = batch.first_ms, batch.last_ms
    checked = _CHECKED.pack(attributes, batch.records - 1, *times, *producer, batch.records)
    checksum = crc32c(batch.data, crc32c(checked))
    length = HEADER_BYTES - LENGTH_END + len(batch.data)
    return _START.pack(0, length, _UNKNOWN, _FORMAT, checksum) + checked


def varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number that stands at a place, and where it ends. Not by aiokafka's own, which reads beyond the end.

    Raises:
        IndexError: The data ends before it does.
    """
    value = shift = 0
    while True:
        byte = data[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


@lru_cache(maxsize=4_096)  # most are sizes, and those come again and again
def as_varint(number: int) -> bytes:
    """*number*, of 64 bits, as it stands in a record."""
    left = (number << 1) ^ (number >> 63)
    groups = bytearray()
    while left > 0x7F:
        groups.append(left & 0x7F | 0x80)
        left >>= 7
    groups.append(left)
    return bytes(groups)
