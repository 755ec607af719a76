"""Whatever a compressed record batch claims, it takes no more memory than it may."""

import cramjam
import pytest
from aiokafka import codec
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from consumer.kafka import client
from consumer.wire import compression
from consumer.wire.compression import EXPANDED_BYTES_MAX, ExpandsTooFar, Scratch

BOUND = 1_000_000

ENCODE = {
    "gzip": codec.gzip_encode,
    "snappy": codec.snappy_encode,
    "lz4": codec.lz4_encode,
    "zstd": codec.zstd_encode,
}
DECODE = {name: getattr(compression, f"{name}_decode") for name in ENCODE}


@pytest.fixture
def _bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller bound, which costs less to reach."""
    monkeypatch.setattr(compression, "EXPANDED_BYTES_MAX", BOUND)
    monkeypatch.setattr(compression, "_scratch", Scratch(BOUND))


def batch(codec_number: int, *values: bytes) -> bytes:
    """A record batch as a producer would send it."""
    builder = DefaultRecordBatchBuilder(
        2, codec_number, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=2**30
    )
    for offset, value in enumerate(values):
        builder.append(offset, 0, None, value, [])
    return bytes(builder.build())


@pytest.mark.parametrize("name", ENCODE)
@given(content=st.binary(min_size=1, max_size=100_000))
def test_what_is_small_is_decompressed_as_before(name: str, content: bytes) -> None:
    assert DECODE[name](bytes(ENCODE[name](content))) == content


@pytest.mark.usefixtures("_bounded")
@pytest.mark.parametrize("name", ENCODE)
def test_what_is_just_small_enough_is_decompressed_and_one_byte_more_is_not(name: str) -> None:
    assert DECODE[name](bytes(ENCODE[name](bytes(BOUND)))) == bytes(BOUND)
    with pytest.raises(ExpandsTooFar, match="cannot be decompressed into 1000000 bytes"):
        DECODE[name](bytes(ENCODE[name](bytes(BOUND + 1))))


@pytest.mark.parametrize("name", ENCODE)
def test_what_is_damaged_is_an_error_of_kafkas_kind(name: str) -> None:
    with pytest.raises(KafkaError):
        DECODE[name](bytes(ENCODE[name](b"some content" * 100))[:-20])


def test_the_next_one_after_a_bomb_is_read() -> None:
    frame = bytes(codec.zstd_encode(bytes(EXPANDED_BYTES_MAX)))
    with pytest.raises(ExpandsTooFar):
        compression.zstd_decode(frame * 500)  # a megabyte that would be thirty-two gigabytes
    assert compression.zstd_decode(bytes(codec.zstd_encode(b"good"))) == b"good"


@pytest.mark.usefixtures("_bounded")
def test_snappy_without_blocks_is_bounded_as_well() -> None:
    small, large = (bytes(cramjam.snappy.compress_raw(bytes(size))) for size in (BOUND, BOUND + 1))
    assert compression.snappy_decode(small) == bytes(BOUND)
    with pytest.raises(ExpandsTooFar):
        compression.snappy_decode(large)


@pytest.mark.usefixtures("_bounded")
@pytest.mark.parametrize("kind", ["GZIP", "SNAPPY", "LZ4", "ZSTD"])
def test_the_client_decodes_batches_within_the_bound(kind: str) -> None:
    """A bomb is an error of Kafka's kind, which costs its partition a pause, and not the instance its life."""
    assert hasattr(client, "compression")  # whoever has a client has the bound
    number = getattr(DefaultRecordBatch, f"CODEC_{kind}")
    good = MemoryRecords(batch(number, b"a" * 1_000, b"b" * 1_000)).next_batch()
    assert [record.value for record in good] == [b"a" * 1_000, b"b" * 1_000]
    bomb = MemoryRecords(batch(number, bytes(BOUND))).next_batch()
    with pytest.raises(KafkaError):
        list(bomb)
