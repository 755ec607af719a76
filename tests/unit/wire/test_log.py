"""Record batches as they come from the log: every record of them, once, whatever the format, the codec and the size."""

import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from consumer.chunk import Chunk, Record
from consumer.wire.log import Ahead, LogBatches, Piece, joined
from consumer.wire.packing import Compression
from consumer.wire.records import decode
from consumer.wire.records import records_of as records_in
from tests.support.records import HandmadeRecord, log_batch

HUGE = 1 << 30
CODECS: list[Compression] = ["none", "gzip", "snappy", "lz4", "zstd"]

made = st.builds(
    HandmadeRecord,
    offset=st.integers(1, 3),  # how far behind the one before
    value=st.none() | st.binary(max_size=300),
    key=st.none() | st.binary(max_size=5),
    timestamp=st.integers(0, 2**41),
    headers=st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2),
)


def log(*batches: bytes) -> Ahead:
    """What a fetch of *batches* has brought."""
    fetched, ahead = LogBatches(b"".join(batches)), Ahead(0)
    fetched.whole = True
    while fetched.has_next():
        ahead.add(fetched.next_batch())
    return ahead


def pieces(ahead: Ahead, *, records_max: int = HUGE, bytes_max: int = HUGE) -> list[list[Piece]]:
    """All of it, as it is taken."""
    taken = []
    while some := ahead.take(records_max=records_max, bytes_max=bytes_max):
        taken.append(some)
    return taken


def records_of(some: Sequence[Piece]) -> list[Record]:
    chunk = Chunk(
        topic="requests",
        partition=0,
        first_offset=some[0].first_offset,
        next_offset=some[-1].next_offset,
        timestamp=some[0].timestamp,
        batches=joined([piece.data for piece in some]),
    )
    return decode(chunk)


def plain(record: Record) -> tuple[object, ...]:
    return record.offset, record.timestamp, record.key, record.value, list(record.headers)


@given(st.lists(st.lists(made, min_size=1, max_size=12), min_size=1, max_size=4), st.data())
def test_whatever_the_bounds_every_record_is_in_one_piece_as_it_was(
    batches: list[list[HandmadeRecord]], data: st.DataObject
) -> None:
    offset, written = 1_000, []
    for number, batch in enumerate(batches):
        batches[number] = []
        for record in batch:
            offset += record.offset  # as in a log that has been compacted
            batches[number].append(replace(record, offset=offset))
        written.append(log_batch(batches[number], compression=data.draw(st.sampled_from(CODECS))))
    records_max, bytes_max = data.draw(st.integers(1, 15)), data.draw(st.integers(1, 2_000))

    taken = pieces(log(*written), records_max=records_max, bytes_max=bytes_max)

    assert [plain(record) for some in taken for record in records_of(some)] == [
        plain(record) for batch in batches for record in batch
    ]
    for some in taken:
        assert sum(piece.records for piece in some) == len(records_of(some)) <= records_max
        assert sum(piece.data.size_bytes for piece in some) <= bytes_max or len(some) == 1
    ends = [piece.next_offset for some in taken for piece in some]
    assert ends == sorted(ends)
    assert ends[-1] == offset + 1


def fetched_together(*compressions: Compression) -> tuple[bytes, bytes | memoryview]:
    """A batch for each of *compressions* as they came, and as they are taken."""
    written = [
        log_batch([HandmadeRecord(offset=offset, value=b"request" * 9)], compression=compression)
        for offset, compression in enumerate(compressions)
    ]
    (some,) = pieces(log(*written))
    return b"".join(written), joined([piece.data for piece in some])


def test_batches_that_stand_one_behind_the_other_are_taken_without_a_copy() -> None:
    came, taken = fetched_together("none", "none", "none")

    assert isinstance(taken, memoryview)
    assert taken == came


def test_what_is_decompressed_in_between_is_put_where_it_belongs() -> None:
    came, _ = fetched_together("none", "none", "none")
    _, taken = fetched_together("none", "gzip", "none")

    assert [*map(plain, records_in(bytes(taken)))] == [*map(plain, records_in(came))]


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2])
def test_what_was_written_in_a_format_of_before_2017_can_be_read(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, HUGE)
    for offset in range(3):
        builder.append(offset, timestamp=1_700_000_000_000, key=b"key", value=b"value %d" % offset)

    (some, *others) = pieces(log(bytes(builder.build())))

    records = [record for taken in (some, *others) for record in records_of(taken)]
    assert [(record.offset, record.key, record.value) for record in records] == [
        (offset, b"key", b"value %d" % offset) for offset in range(3)
    ]


def test_a_batch_whose_bytes_have_changed_is_found_out() -> None:
    batch = bytearray(log_batch([HandmadeRecord(offset=0, value=b"request")]))
    fetched = LogBatches(bytes(batch))
    fetched.whole = True
    assert fetched.next_batch().validate_crc()

    batch[-2] ^= 1
    fetched = LogBatches(bytes(batch))
    fetched.whole = True
    assert not fetched.next_batch().validate_crc()


def test_a_batch_without_records_which_compaction_leaves_has_none() -> None:
    batch = bytearray(log_batch([HandmadeRecord(offset=0, value=b"request")]))[:61]
    struct.pack_into(">i", batch, 8, 61 - 12)
    struct.pack_into(">i", batch, 57, 0)
    fetched = LogBatches(bytes(batch))
    fetched.whole = True
    assert [*fetched.next_batch()] == []


def test_a_batch_that_claims_more_records_than_it_has_cannot_be_read() -> None:
    batch = bytearray(log_batch([HandmadeRecord(offset=offset, value=b"x") for offset in range(3)]))
    struct.pack_into(">i", batch, 57, 7)
    with pytest.raises(CorruptRecordException):
        log(bytes(batch)).take(records_max=2, bytes_max=HUGE)
