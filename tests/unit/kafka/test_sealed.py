"""A batch made elsewhere, under the name of a producer: what the brokers are told must be what the client would tell."""

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from consumer.kafka.sealed import Sealed
from consumer.wire.packing import CODECS, Compression, Message, Packing, encode

MESSAGES: list[Message] = [
    (b"key", b"value %d" % number * 10, [("source", b"a/0/1")], 1_700_000) for number in range(9)
]


@pytest.mark.parametrize("transactional", [False, True])
@pytest.mark.parametrize("compression", CODECS)
def test_a_sealed_batch_is_byte_for_byte_what_the_client_would_have_built(
    compression: Compression, transactional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gzip.time.time", lambda: 0.0)  # it writes down when it was
    theirs = BatchBuilder(1 << 20, CODECS[compression], is_transactional=transactional)
    for key, value, headers, timestamp in MESSAGES:
        theirs.append(key=key, value=value, headers=headers, timestamp=timestamp)
    (batch,) = encode(MESSAGES, Packing(1 << 20, compression))
    ours = Sealed(batch, transactional=transactional)
    for sealed in (ours, theirs):
        sealed._set_producer_state(4_711, 3, 1_000)

    assert b"".join(ours._build()) == theirs._build()
    assert ours.record_count() == theirs.record_count()
    assert ours.size() == theirs.size()
    assert ours.closed()
    assert DefaultRecordBatch(b"".join(ours._build())).validate_crc()


def test_a_batch_can_be_sealed_again_for_another_producer() -> None:
    (batch,) = encode(MESSAGES, Packing(1 << 20, "none"))
    for producer in (1, 2):
        sealed = Sealed(batch, transactional=False)
        sealed._set_producer_state(producer, 0, 0)
        built = DefaultRecordBatch(b"".join(sealed._build()))
        assert (built.producer_id, built.validate_crc()) == (producer, True)
