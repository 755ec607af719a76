"""Produce requests on their way out.

T31: aiokafka's types put a request together from the inside out, and its connection puts the header and then the size
before it: eight copies of all that is published. Here, everything is put together once, at the end.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Int32, String

_NAME = String()


class Body:
    """A request, in pieces, as aiokafka's connection treats it: a header is added before it, then the size of both."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def __radd__(self, header: bytes) -> "Message":
        return Message([header, *self._pieces])


class Message:
    """A request with its header."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __radd__(self, size: bytes) -> bytes:
        return b"".join([size, *self._pieces])


def _encode(self: Any) -> Body:
    *asked, topics = (getattr(self, name) for name in self.SCHEMA.names)
    before = (field.encode(value) for field, value in zip(self.SCHEMA.fields, asked, strict=False))
    return Body([*before, Int32.encode(len(topics)), *_pieces(topics)])


def _pieces(topics: Sequence[tuple[str, Sequence[tuple[int, Any]]]]) -> Iterator[bytes]:
    for topic, partitions in topics:
        yield _NAME.encode(topic)
        yield Int32.encode(len(partitions))
        for partition, built in partitions:
            batch = built if isinstance(built, tuple) else (built,)  # `Sealed`, or one of the client's own
            yield Int32.encode(partition)
            yield Int32.encode(sum(map(len, batch)))
            yield from batch


def install() -> None:
    """Have all produce requests sent that way; more than once does no harm."""
    for version in ProduceRequest._CLASSES:
        version.encode = _encode
