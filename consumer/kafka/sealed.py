"""A record batch on its way to the brokers: the bytes that a worker has made, under the name of a producer."""

import struct

import google_crc32c

from consumer.chunk import Encoded
from consumer.wire.log import CHECKED_FROM

CHECKSUM_AT = 17
TRANSACTIONAL = 1 << 4
PRODUCER = struct.Struct(">qhi")  # id, epoch, and the number of the first record
PRODUCER_AT = 43


class Sealed:
    """What aiokafka takes for a `BatchBuilder` of its own: one that is closed already, so that nothing can be added.

    A batch is numbered once, when its turn has come, and sent with that number however often it is tried.
    """

    def __init__(self, batch: Encoded, *, transactional: bool) -> None:
        self._records = batch.records
        self._data = bytearray(batch.data)
        if transactional:
            (attributes,) = struct.unpack_from(">h", self._data, CHECKED_FROM)
            struct.pack_into(">h", self._data, CHECKED_FROM, attributes | TRANSACTIONAL)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        PRODUCER.pack_into(self._data, PRODUCER_AT, producer_id, producer_epoch, base_sequence)
        checksum = google_crc32c.value(bytes(memoryview(self._data)[CHECKED_FROM:]))
        struct.pack_into(">I", self._data, CHECKSUM_AT, checksum)

    def _build(self) -> bytearray:
        return self._data

    def close(self) -> None:
        """Nothing to do."""

    def closed(self) -> bool:
        """It is."""
        return True

    def record_count(self) -> int:
        """How many records it has."""
        return self._records

    def size(self) -> int:
        """Its bytes."""
        return len(self._data)
