"""Record batches are decompressed up to a bound, whatever they claim: a megabyte of zstd can hold thirty gigabytes.

aiokafka decompresses a batch as a whole and without a limit, which would let whoever may write one request end every
instance, one after the other. A batch beyond the bound is an error of its partition instead.
"""

import io
import mmap
import struct
import zlib
from collections.abc import Callable
from gzip import GzipFile

import cramjam
from aiokafka import codec, errors
from aiokafka.record import default_records, legacy_records
from aiokafka.record._crecords import default_records as compiled_default_records
from aiokafka.record._crecords import legacy_records as compiled_legacy_records

Payload = bytes | memoryview

EXPANDED_BYTES_MAX = 64 * 1024 * 1024  # as large as a chunk may be made by settings
KEPT_BYTES_MAX = 4 * 1024 * 1024


class ExpandsTooFar(errors.CorruptRecordException):  # type: ignore[misc] # aiokafka is not typed
    """A record batch that is larger than it may be, once it is decompressed, or cannot be decompressed at all."""


class Scratch:
    """Memory to decompress into. Pages that nothing was ever written to cost nothing, so its size is but the bound."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._memory: mmap.mmap | None = None

    def filled_by(self, decompress_into: Callable[[Payload, mmap.mmap], int], payload: Payload) -> bytes:
        """What *decompress_into* makes of *payload*.

        Raises:
            ExpandsTooFar: It is more than there is room for.
        """
        memory = self._memory or mmap.mmap(-1, self._bytes_max, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory = None
        try:
            size = decompress_into(payload, memory)
        except cramjam.DecompressionError as error:
            memory.close()
            raise _too_far(str(error)) from error
        content = memory[:size]
        if size > KEPT_BYTES_MAX:
            memory.close()
        else:
            self._memory = memory
        return content


_scratch = Scratch(EXPANDED_BYTES_MAX)


def zstd_decode(payload: Payload) -> bytes:
    """As aiokafka's, bounded."""
    return _scratch.filled_by(cramjam.zstd.decompress_into, payload)


def lz4_decode(payload: Payload) -> bytes:
    """As aiokafka's, bounded."""
    return _scratch.filled_by(cramjam.lz4.decompress_into, payload)


def gzip_decode(payload: Payload) -> bytes:
    """As aiokafka's, bounded."""
    try:
        with GzipFile(fileobj=io.BytesIO(payload)) as file:
            content = file.read(EXPANDED_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _too_far(str(error)) from error
    if len(content) > EXPANDED_BYTES_MAX:
        raise _too_far("there is more")
    return content


def snappy_decode(payload: Payload) -> bytes:
    """As aiokafka's, bounded: each block of snappy begins with its length, so that nothing needs to be tried."""
    try:
        size = sum(cramjam.snappy.decompress_raw_len(block) for block in _blocks(memoryview(payload)))
        content: bytes = codec.snappy_decode(payload) if size <= EXPANDED_BYTES_MAX else b""
    except (cramjam.DecompressionError, struct.error) as error:
        raise _too_far(str(error)) from error
    if size > EXPANDED_BYTES_MAX:
        raise _too_far(f"it claims {size}")
    return content


def _blocks(payload: memoryview) -> list[memoryview]:
    if not codec._detect_xerial_stream(payload):
        return [payload]
    blocks, start = [], 16
    while start < len(payload):
        (size,) = struct.unpack_from("!i", payload, start)
        blocks.append(payload[start + 4 : start + 4 + size])
        start += 4 + max(0, size)
    return blocks


def _too_far(reason: str) -> ExpandsTooFar:
    return ExpandsTooFar(f"a record batch cannot be decompressed into {EXPANDED_BYTES_MAX} bytes: {reason}")


DECODERS: dict[int, Callable[[Payload], bytes]] = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}


def expand(codec: int, payload: Payload) -> bytes:
    """*payload*, decompressed.

    Raises:
        ExpandsTooFar: It is larger than it may be, or cannot be decompressed, or nobody knows how.
    """
    if codec not in DECODERS:
        raise _too_far(f"there is no codec {codec}")
    return DECODERS[codec](payload)


def install() -> None:
    """Put the bounds in place; more than once does no harm."""
    for module in (default_records, legacy_records, compiled_default_records, compiled_legacy_records):
        for decode in (gzip_decode, snappy_decode, lz4_decode, zstd_decode):
            if hasattr(module, decode.__name__):
                setattr(module, decode.__name__, decode)
