"""Records out of record batches, by aiokafka's codec in C."""

from collections.abc import Iterable
from sys import maxsize
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from consumer.chunk import Chunk, Encoded, Record
from consumer.wire import compression
from consumer.wire.layout import header
from consumer.wire.packing import Message, Packing, encode
from consumer.wire.tolerant import tolerantly

compression.install()


def decode(chunk: Chunk) -> list[Record]:
    """The records of *chunk*, in order."""
    records = records_of(bytes(chunk.batches))
    if records and records[0].offset < chunk.first_offset:  # a lane can begin in the middle of a batch
        return [record for record in records if record.offset >= chunk.first_offset]
    return records


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


def messages(batch: Encoded) -> list[Message]:
    """What was put into *batch*."""
    records = MemoryRecords(header(batch) + batch.data).next_batch()
    return [(record.key, record.value, list(record.headers), record.timestamp) for record in records]


def singles(batch: Encoded, packing: Packing) -> list[Encoded]:
    """The records of *batch*, each in one of its own."""
    return [alone for message in messages(batch) for alone in encode([message], packing)]


def rebuild(records: Iterable[Any]) -> bytes:
    """*records* of whichever format as one batch of today's, with the gaps that compaction has left between them."""
    records = list(records)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, maxsize)
    base_offset = records[0].offset
    for record in records:
        made_at = -1 if record.timestamp is None else record.timestamp  # the first format had none
        builder.append(record.offset - base_offset, made_at, record.key, record.value, list(record.headers))
    data = builder.build()
    data[:8] = base_offset.to_bytes(8)
    return bytes(data)
