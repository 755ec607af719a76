"""Records and chunks made by hand."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from consumer.chunk import Chunk, Encoded, Finished, Processed
from consumer.wire.answers import Form, answer
from consumer.wire.log import LogBatch, LogBatches
from consumer.wire.packing import CODECS, Compression, Packing, encode
from domain.batch import Code, Limits, Rejection
from domain.summation import process_chunk

FORM = Form(reply_to_failed=True, packing=Packing(1 << 18, "none"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HandmadeRecord:
    """A record that no broker has seen."""

    offset: int
    value: bytes | None
    timestamp: int = 1_700_000_000_000
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def request(batchid: str, payload: object = ((1, 2), (3, 4))) -> bytes:
    """A request of the contract, unless *payload* makes it none."""
    return json.dumps({"batchid": batchid, "payload": payload}).encode()


def log_batch(records: Iterable[HandmadeRecord], *, compression: Compression = "none") -> bytes:
    """Consecutive records as one record batch of a log; none starts at offset 0 but the first."""
    records = list(records)
    builder = DefaultRecordBatchBuilder(2, CODECS[compression], 0, -1, -1, -1, 1 << 30)
    for record in records:
        builder.append(
            record.offset - records[0].offset, record.timestamp, record.key, record.value, list(record.headers)
        )
    data = builder.build()
    data[:8] = records[0].offset.to_bytes(8)
    return bytes(data)


def log_batches(*records: HandmadeRecord, compression: Compression = "none") -> list[LogBatch]:
    """Consecutive records as the record batch that a fetch would bring."""
    fetched = LogBatches(log_batch(records, compression=compression))
    fetched.whole = True
    return [fetched.next_batch()]


def chunk_of(
    values: Iterable[bytes | None], *, topic: str = "requests", partition: int = 0, first_offset: int = 0
) -> Chunk:
    """A chunk of records with these values."""
    records = [HandmadeRecord(offset=offset, value=value) for offset, value in enumerate(values, first_offset)]
    return Chunk(
        topic=topic,
        partition=partition,
        first_offset=first_offset,
        next_offset=first_offset + len(records),
        timestamp=records[0].timestamp,
        batches=log_batch(records),
    )


def finished(chunk: Chunk, form: Form = FORM) -> Finished:
    """*chunk* with what a worker would make of it."""
    return Finished(chunk, answer(chunk, process_chunk, Limits(), form))


def processed(records: int, *rejected: int) -> Processed:
    """What came of so many records; those at the offsets *rejected* were no JSON."""
    return Processed(records, 0, [], dict.fromkeys(rejected, Rejection(Code.INVALID_JSON, "no JSON", (), None, None)))


def lone(value: bytes) -> list[Encoded]:
    """*value* as the one record to be published."""
    return encode([(None, value, [], None)], FORM.packing)
