"""Records and chunks: what a lane carries from the source to the sink."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from consumer.board import Place
from domain.batch import Outcomes


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
    """A run of consecutive records of one partition that share a pool call."""

    topic: str
    partition: int
    records: Sequence[Record]
    values: Sequence[bytes | None]
    size_bytes: int
    fetched_at: float = field(default_factory=time.monotonic)
    times: Times = field(default_factory=Times, compare=False)

    @property
    def timestamp(self) -> int:
        """When its first record was made, in milliseconds since the epoch."""
        return self.records[0].timestamp

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def next_offset(self) -> int:
        """What may be committed once every record has its outcome: one past the last of them."""
        return self.records[-1].offset + 1

    @property
    def place(self) -> Place:
        """Where it stands in the log."""
        return Place(self.partition, self.first_offset, self.next_offset)


class Finished(NamedTuple):
    """A chunk that has been processed, and what came of its records."""

    chunk: Chunk
    outcomes: Outcomes
