"""Chunks and what becomes of them: what a lane carries from the source to the sink."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pickle import PickleBuffer
from typing import Any, NamedTuple, Protocol

from consumer.board import Place
from domain.batch import Rejection


class Record(Protocol):
    """One Kafka record, as its bytes: whoever reads it must neither decode nor change it."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(slots=True)
class Times:
    """When a chunk came to each step of its road, in seconds of the monotonic clock, which all processes share; None: not yet."""

    began: float | None = None  # a worker has begun it,
    ended: float | None = None  # and has ended it
    publishing: float | None = None
    durable: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive records of one partition that share a pool call, as the record batches in which they stood in the log.

    They are those from `first_offset` to before `next_offset`, which may be committed once each has its outcome. The
    first one was made at `timestamp`, in milliseconds since the epoch.
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    timestamp: int
    batches: bytes | memoryview
    fetched_at: float = field(default_factory=time.monotonic)
    times: Times = field(default_factory=Times, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """As it goes to a worker: its bytes apart from the rest, and without its times, which the parent keeps."""
        place = (self.topic, self.partition, self.first_offset, self.next_offset)
        return _received, (place, self.timestamp, PickleBuffer(self.batches), self.fetched_at)

    @property
    def size_bytes(self) -> int:
        """Its record batches, not compressed."""
        return len(self.batches)

    @property
    def place(self) -> Place:
        """Where it stands in the log."""
        return Place(self.partition, self.first_offset, self.next_offset)


def _received(place: tuple[str, int, int, int], timestamp: int, batches: bytes, fetched_at: float) -> Chunk:
    topic, partition, first_offset, next_offset = place
    return Chunk(
        topic=topic,
        partition=partition,
        first_offset=first_offset,
        next_offset=next_offset,
        timestamp=timestamp,
        batches=batches,
        fetched_at=fetched_at,
    )


class Encoded(NamedTuple):
    """Records that are to be published as one record batch: how many, and their bytes as they will stand in a topic.

    The first one was made at `first_ms`, the latest at `last_ms`, in milliseconds since the epoch; `codec` is Kafka's
    number of how they are compressed. Which producer sends them, and as which number, is not in there.
    """

    records: int
    first_ms: int
    last_ms: int
    codec: int
    data: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        """As it comes from a worker: its bytes apart from the rest."""
        return Encoded, (*self[:-1], PickleBuffer(self.data))


@dataclass(slots=True)
class Processed:
    """What came of a chunk's records: their answers, in order, and the rejections by the offset of the request.

    `integers` is how many were summed. `traced` has, by its offset too, the `traceparent` of each request that has a span.
    """

    records: int
    integers: int
    answers: list[Encoded]
    rejections: dict[int, Rejection]
    traced: dict[int, bytes] = field(default_factory=dict)


class Finished(NamedTuple):
    """A chunk that has been processed, and what came of it."""

    chunk: Chunk
    processed: Processed
