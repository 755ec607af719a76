"""The tolerant reader finds what the client finds, and goes on where that breaks off."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from consumer.chunk import Record
from consumer.wire.records import decode, records_of
from consumer.wire.tolerant import tolerantly
from tests.support.records import HandmadeRecord, chunk_of, log_batch, request

records = st.lists(
    st.builds(
        HandmadeRecord,
        offset=st.just(0),
        value=st.none() | st.binary(max_size=200),
        key=st.none() | st.binary(max_size=5),
        timestamp=st.integers(0, 2**41),
        headers=st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=3),
    ),
    min_size=1,
    max_size=5,
)


def plain(record: Record) -> tuple[object, ...]:
    return record.offset, record.timestamp, record.key, record.value, [*record.headers]


@given(st.lists(records, min_size=1, max_size=3), st.booleans())
def test_it_finds_the_same_as_the_client_in_what_that_can_read(
    batches: list[list[HandmadeRecord]], log_append_time: bool
) -> None:
    data = b""
    for batch in batches:
        written = bytearray(log_batch(batch))
        if log_append_time:
            struct.pack_into(">h", written, 21, 1 << 3)
        data += written
    assert [plain(record) for record in tolerantly(data)] == [plain(record) for record in records_of(data)]


def test_names_that_are_no_text_are_written_out_and_everything_else_is_as_it_was() -> None:
    record = HandmadeRecord(offset=7, value=b"value", key=b"key", headers=[("abc", b"1"), ("known", b"2")])
    (found,) = records_of(log_batch([record]).replace(b"abc", b"\xff\xfea"))
    assert plain(found) == (7, record.timestamp, b"key", b"value", [("\\xff\\xfea", b"1"), ("known", b"2")])


def test_a_chunk_with_such_a_name_is_decoded_like_any_other() -> None:
    chunk = chunk_of([request("a"), request("b")], first_offset=3)
    assert [record.offset for record in decode(chunk)] == [3, 4]
