"""Record batches as they are made here, and as the client's own builder makes them: nobody is to see a difference."""

from itertools import islice, pairwise

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.chunk import Encoded
from consumer.wire import layout
from consumer.wire.layout import as_varint, varint
from consumer.wire.packing import CODECS, Compression, Message, Packing, batches, block, encode, header
from consumer.wire.records import messages

HUGE = 1 << 30
ROOM = 1 << 20  # for all that a test makes; the client clears it for each batch
NOW_MS = 1_764_000_000_000

made = st.tuples(
    st.none() | st.binary(max_size=40),
    st.none() | st.binary(max_size=300) | st.integers(4_000, 20_000).map(bytes),
    st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=70)), max_size=3),
    st.integers(0, 2**41),
)


def built_by_the_client(some: list[Message], compression: Compression = "none") -> bytes:
    """The batch that aiokafka would send, of *some* that are not empty."""
    builder = BatchBuilder(ROOM, CODECS[compression])
    for key, value, headers, made_at in some:
        assert builder.append(key=key, value=value, headers=headers, timestamp=made_at) is not None
    builder._set_producer_state(-1, -1, -1)
    return bytes(builder._build())


def dealt(some: list[Message], packed: list[Encoded]) -> list[list[Message]]:
    """Which of *some* are in each batch."""
    left = iter(some)
    held = [[*islice(left, batch.records)] for batch in packed]
    assert not [*left]
    return held


@given(
    some=st.lists(made, min_size=1, max_size=30),
    batch_bytes_max=st.integers(1, 30_000),
    compression=st.sampled_from(["none", "snappy", "lz4", "zstd"]),  # gzip writes down when it was
)
def test_batches_are_byte_for_byte_those_of_the_client(
    some: list[Message], batch_bytes_max: int, compression: Compression
) -> None:
    packed = encode(some, Packing(batch_bytes_max, compression))
    ours = [layout.header(batch) + batch.data for batch in packed]
    assert ours == [built_by_the_client(held, compression) for held in dealt(some, packed)]


@given(some=st.lists(made, min_size=1, max_size=30), batch_bytes_max=st.integers(1, 30_000))
@example(some=[(None, b"x" * 50, [], NOW_MS), (None, b"y" * 50, [], NOW_MS)], batch_bytes_max=175)
def test_a_batch_has_as_many_records_as_fit_and_one_at_least(some: list[Message], batch_bytes_max: int) -> None:
    """To the last byte, which the client leaves free."""
    held = dealt(some, encode(some, Packing(batch_bytes_max, "none")))
    for batch in held:
        assert len(batch) == 1 or len(built_by_the_client(batch)) <= batch_bytes_max
    for batch, following in pairwise(held):
        assert len(built_by_the_client([*batch, following[0]])) > batch_bytes_max


def test_a_batch_may_have_more_records_than_numbers_are_kept_for() -> None:
    some: list[Message] = [(b"", b"x", [], NOW_MS)] * 5_000
    packing = Packing(HUGE, "none")
    (same_time,) = batches([b""] * 5_000, [b"x"] * 5_000, [block([])] * 5_000, packing)
    (ours,) = encode(some, packing)
    assert layout.header(ours) + ours.data == built_by_the_client(some)
    assert same_time.data == ours.data


def test_records_without_a_time_were_made_now_and_all_at_once() -> None:
    packing = Packing(HUGE, "none")
    (batch,) = batches([b"a", b"b"], [b"1", None], [block([]), block([header("h", b"v")])], packing)
    ((one, other),) = [messages(batch)]
    assert (one[:3], other[:3]) == ((b"a", b"1", []), (b"b", None, [("h", b"v")]))
    assert one[3] == other[3] == batch.first_ms == batch.last_ms
    assert encode([(b"a", b"1", [], None)], packing)[0].first_ms >= batch.first_ms


def test_nothing_makes_no_batch() -> None:
    assert encode([], Packing(HUGE, "none")) == []


@pytest.mark.parametrize("message", [("text", b"value", [], NOW_MS), (b"key", "text", [], NOW_MS)])
def test_text_is_no_bytes(message: Message) -> None:
    with pytest.raises(TypeError):
        encode([message], Packing(HUGE, "none"))


@given(st.integers(-(2**63), 2**63 - 1))
@example(0)
@example(-1)
@example(63)
@example(64)
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    written = as_varint(number)
    assert varint(written + b"more", 0) == (number, len(written))
