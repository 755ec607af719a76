"""A record batch on its way to the brokers: the bytes that a worker has made, under the name of a producer."""

from consumer.chunk import Encoded
from consumer.wire.layout import HEADER_BYTES, header


class Sealed:
    """What aiokafka takes for a `BatchBuilder` of its own: one that is closed already, so that nothing can be added.

    A batch is numbered once, when its turn has come, and sent with that number however often it is tried.
    """

    def __init__(self, batch: Encoded, *, transactional: bool) -> None:
        self.batch = batch
        self._transactional = transactional
        self._header = b""

    @property
    def is_numbered(self) -> bool:
        """Whether its turn has come."""
        return bool(self._header)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        producer = producer_id, producer_epoch, base_sequence
        self._header = header(self.batch, producer=producer, transactional=self._transactional)

    def _build(self) -> tuple[bytes, bytes]:
        """Header and records, which `outflow` puts together with what else is sent."""
        return self._header, self.batch.data

    def close(self) -> None:
        """Nothing to do."""

    def closed(self) -> bool:
        """It is."""
        return True

    def record_count(self) -> int:
        """How many records it has."""
        return self.batch.records

    def size(self) -> int:
        """Its bytes."""
        return HEADER_BYTES + len(self.batch.data)
