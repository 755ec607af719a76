"""Records out of record batches, and into them; by aiokafka's codec in C."""

import time
from collections.abc import Iterable
from sys import maxsize
from typing import Any, Literal, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from consumer.chunk import Chunk, Encoded, Record
from consumer.wire import compression
from consumer.wire.tolerant import tolerantly

compression.install()

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}

# What is to stand in a topic: key, value, headers, and the timestamp in milliseconds (None: now).
Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int | None]


class Packing(NamedTuple):
    """How records are put together to batches: of so many bytes at most, unless one record alone has more."""

    batch_bytes_max: int
    compression: Compression


def decode(chunk: Chunk) -> list[Record]:
    """The records of *chunk*, in order."""
    # A lane can begin in the middle of a batch.
    return [record for record in records_of(chunk.batches) if record.offset >= chunk.first_offset]


def records_of(batches: bytes) -> list[Record]:
    """The records of *batches* that are not compressed, in order."""
    unread = MemoryRecords(batches)
    records: list[Record] = []
    try:
        while unread.has_next():
            records += unread.next_batch()
    except UnicodeDecodeError:
        return [*tolerantly(batches)]
    return records


def encode(messages: Iterable[Message], packing: Packing) -> list[Encoded]:
    """*messages*, in order, in as few batches as *packing* allows."""
    now_ms = time.time_ns() // 1_000_000
    encoded: list[Encoded] = []
    builder, count = _builder(packing), 0
    for key, value, headers, timestamp_ms in messages:
        made_at = now_ms if timestamp_ms is None else timestamp_ms
        if builder.append(count, made_at, key, value, headers) is None:  # it is full
            encoded.append(Encoded(count, bytes(builder.build())))
            builder, count = _builder(packing), 0
            builder.append(0, made_at, key, value, headers)
        count += 1
    if count:
        encoded.append(Encoded(count, bytes(builder.build())))
    return encoded


def messages(batch: Encoded) -> list[Message]:
    """What was put into *batch*."""
    records = MemoryRecords(batch.data).next_batch()
    return [(record.key, record.value, list(record.headers), record.timestamp) for record in records]


def singles(batch: Encoded, packing: Packing) -> list[Encoded]:
    """The records of *batch*, each in one of its own."""
    return [alone for message in messages(batch) for alone in encode([message], packing)]


def rebuild(records: Iterable[Any]) -> bytes:
    """*records* of whichever format, which are consecutive, as one batch of today's."""
    records = list(records)
    builder = _builder(Packing(maxsize, "none"))
    base_offset = records[0].offset
    for record in records:
        made_at = -1 if record.timestamp is None else record.timestamp  # the first format had none
        builder.append(record.offset - base_offset, made_at, record.key, record.value, list(record.headers))
    data = builder.build()
    data[:8] = base_offset.to_bytes(8)
    return bytes(data)


def _builder(packing: Packing) -> Any:
    codec = CODECS[packing.compression]
    return DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, packing.batch_bytes_max)
