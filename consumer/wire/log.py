"""Record batches as they come from the log."""

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from crc32c import crc32c

from consumer.wire.compression import expand
from consumer.wire.layout import CHECKED_FROM, CODEC_MASK, HEADER_BYTES, LENGTH_END, varint
from consumer.wire.records import rebuild, records_of

LENGTH = struct.Struct(">8xi")  # of what follows it
MAGIC_AT = 16
ATTRIBUTES = struct.Struct(">21xh")
CONTENT = struct.Struct(">q19xq22xi")  # first offset, first timestamp, number of records


class Stretch(NamedTuple):
    """Some of the bytes of `source`, left where they are: from `start` to before `end`."""

    source: bytes
    start: int
    end: int

    @classmethod
    def whole(cls, source: bytes) -> Self:
        return cls(source, 0, len(source))

    @property
    def size_bytes(self) -> int:
        return self.end - self.start

    @property
    def view(self) -> memoryview:
        return memoryview(self.source)[self.start : self.end]

    def is_followed_by(self, other: "Stretch") -> bool:
        """Whether *other* begins where this one ends."""
        return self.source is other.source and self.end == other.start


def joined(stretches: Sequence[Stretch]) -> bytes | memoryview:
    """All of them, one behind the other; copied only if they do not stand so already."""
    if all(one.is_followed_by(other) for one, other in pairwise(stretches)):
        return memoryview(stretches[0].source)[stretches[0].start : stretches[-1].end]
    return b"".join([stretch.view for stretch in stretches])


class Piece(NamedTuple):
    """The records from `first_offset` to before `next_offset`, as a record batch that is not compressed.

    Its first record was made at `timestamp`, in milliseconds since the epoch; if it is a part of a larger batch, the
    first of that.
    """

    first_offset: int
    next_offset: int
    timestamp: int
    records: int
    data: Stretch


class LogBatch:
    """A record batch as it stands in the log, in the form in which aiokafka's fetcher walks through it.

    To the fetcher, which decides what is committed and what was aborted, it holds its records or, taken as a *whole*, one
    record at most: itself.
    """

    def __init__(self, batch: Any, data: Stretch, *, whole: bool) -> None:
        """*batch* is the client's view of *data*."""
        self._batch = batch
        self._whole = whole
        self._data = data
        # Written by a client, and kept by a broker, from before 2017.
        self._is_legacy = data.source[data.start + MAGIC_AT] < 2
        self.next_offset: int = batch.next_offset
        self.base_offset: int = self.next_offset - 1 if self._is_legacy else batch.base_offset
        self.offset = self.next_offset - 1
        self.producer_id: int | None = batch.producer_id
        self.is_transactional: bool = batch.is_transactional
        self.is_control_batch: bool = batch.is_control_batch

    def validate_crc(self) -> bool:
        """Whether it is as it was when it was written. By the processor's own instruction, which aiokafka does not use."""
        if self._is_legacy:
            return bool(self._batch.validate_crc())
        return bool(crc32c(self._data.view[CHECKED_FROM:]) == self._batch.crc)

    def __iter__(self) -> Iterator[Any]:
        if not self._whole:
            yield from self._batch if self._is_legacy else records_of(bytes(self._plain().view))
        elif self._is_legacy or CONTENT.unpack_from(self._data.view)[2]:  # compaction can leave an empty one
            yield self

    def __next__(self) -> Any:
        """The record of a control batch: the fetcher asks no other for one."""
        return next(self._batch)

    def pieces(self, *, records_max: int, bytes_max: int) -> Iterator[Piece]:
        """Its records, in pieces within these bounds; a larger record goes alone.

        Raises:
            CorruptRecordException: It cannot be decompressed within bounds, or is not what it says.
        """
        plain = Stretch.whole(rebuild(self._batch)) if self._is_legacy else self._plain()
        base_offset, timestamp, records = CONTENT.unpack_from(plain.view)
        if records <= records_max and plain.size_bytes <= bytes_max:
            yield Piece(base_offset, self.next_offset, timestamp, records, plain)
            return
        data = plain.view
        try:
            cuts = [*_cuts(data, records, records_max=records_max, bytes_max=bytes_max)]
        except IndexError as error:
            raise CorruptRecordException("a record batch ends before its last record") from error
        next_offsets = [base_offset + delta for _, _, _, delta in cuts[1:]] + [self.next_offset]
        for (start, end, count, delta), next_offset in zip(cuts, next_offsets, strict=True):
            part = Stretch.whole(_part(data, start, end, count))
            yield Piece(base_offset + delta, next_offset, timestamp, count, part)

    def _plain(self) -> Stretch:
        data = self._data.view
        (attributes,) = ATTRIBUTES.unpack_from(data)
        codec = attributes & CODEC_MASK
        if not codec:
            return self._data
        records = expand(codec, data[HEADER_BYTES:])
        header = bytearray(data[:HEADER_BYTES])
        struct.pack_into(">h", header, CHECKED_FROM, attributes & ~CODEC_MASK)
        struct.pack_into(">i", header, 8, HEADER_BYTES - LENGTH_END + len(records))
        return Stretch.whole(bytes(header) + records)


class Ahead:
    """What has been fetched from an offset on, and not been taken yet. Only so much is expanded as is taken."""

    def __init__(self, offset: int) -> None:
        self._offset = offset  # a batch comes whole, also if what is wanted begins in the midst of it
        self._batches = deque[LogBatch]()
        self._pieces = deque[Piece]()

    def add(self, batches: Iterable[LogBatch]) -> None:
        """Put *batches* behind the others."""
        self._batches.extend(batches)

    def take(self, *, records_max: int, bytes_max: int) -> list[Piece]:
        """The next pieces, as many as make no more than *records_max* records and *bytes_max* bytes; a larger one goes alone.

        Raises:
            CorruptRecordException: The next batch cannot be read.
        """
        taken: list[Piece] = []
        records = size_bytes = 0
        while self._pieces or self._batches:
            if not self._pieces:
                try:
                    pieces = [*self._batches[0].pieces(records_max=records_max, bytes_max=bytes_max)]
                except CorruptRecordException:
                    if taken:
                        break  # what stands before it is not to suffer
                    raise
                self._batches.popleft()
                self._pieces.extend(piece for piece in pieces if piece.next_offset > self._offset)
                continue
            piece = self._pieces[0]
            records, size_bytes = records + piece.records, size_bytes + piece.data.size_bytes
            if taken and (records > records_max or size_bytes > bytes_max):
                break
            taken.append(self._pieces.popleft())
        return taken


class LogBatches(MemoryRecords):  # type: ignore[misc] # aiokafka is not typed
    """What a fetch has brought of one partition."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data
        self._at = 0
        self.whole = False  # whether batches are wanted as they are, or for their records

    def next_batch(self) -> Any:
        """The next record batch."""
        batch = super().next_batch()
        since, self._at = self._at, self._at + LENGTH_END + LENGTH.unpack_from(self._data, self._at)[0]
        return LogBatch(batch, Stretch(self._data, since, self._at), whole=self.whole)


def _cuts(data: memoryview, records: int, *, records_max: int, bytes_max: int) -> Iterator[tuple[int, int, int, int]]:
    """Where to cut: start, end, number of records, and the delta of the first one's offset."""
    start = at = HEADER_BYTES
    count = 0
    for _ in range(records):
        size, body = varint(data, at)
        if count and (count == records_max or body + size - start > bytes_max):
            yield start, at, count, _offset_delta(data, start)
            start, count = at, 0
        at, count = body + size, count + 1
    if at != len(data):
        raise IndexError
    yield start, at, count, _offset_delta(data, start)


def _offset_delta(data: memoryview, at: int) -> int:
    _, body = varint(data, at)
    _, after_timestamp = varint(data, body + 1)  # behind the attributes
    delta: int = varint(data, after_timestamp)[0]
    return delta


def _part(data: memoryview, start: int, end: int, records: int) -> bytes:
    header = bytearray(data[:HEADER_BYTES])
    struct.pack_into(">i", header, 8, HEADER_BYTES - LENGTH_END + end - start)
    struct.pack_into(">i", header, 57, records)
    return bytes(header) + data[start:end]
