"""Trays: memory that the parent and a worker share, for what is too large to be pushed through a socket."""

import contextlib
import mmap
import os
import pickle
import struct
import tempfile
from collections.abc import Iterator
from multiprocessing.reduction import DupFd
from typing import Any, Self

SIZE = struct.Struct("=q")


class Tray:
    """Room for the bytes of one call, and after that for those of its answer: each is taken out before the other is put in.

    What is pickled as a `PickleBuffer` (PEP 574) is laid on the tray, the rest goes into a message. It can be handed to a
    process that is being started, and to no other.
    """

    def __init__(self, file: int) -> None:
        """With the room that *file* has; what does not fit goes into the message, too."""
        self._file = file
        self._memory = mmap.mmap(file, 0)
        self._end = 0

    @classmethod
    def of(cls, size_bytes: int) -> Self:
        """A new one. Pages that nothing is ever written to cost nothing."""
        file = _memory_file()
        os.ftruncate(file, size_bytes)
        return cls(file)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (DupFd(self._file),)

    def pack(self, content: object) -> bytes:
        """The message for *content*, whose buffers are laid on the tray."""
        self._end = 0
        return pickle.dumps(content, protocol=5, buffer_callback=self._leave)

    def unpack(self, message: bytes) -> Any:
        """What the other side has packed. Of its own making, so there is nothing to mistrust."""
        return pickle.loads(message, buffers=self._buffers())  # noqa: S301

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self._file)

    def _leave(self, buffer: pickle.PickleBuffer) -> bool:
        """Put *buffer* behind the others, or leave it in the message."""
        with buffer.raw() as data:
            start = self._end + SIZE.size
            end = start + data.nbytes
            if end > len(self._memory):
                return True
            SIZE.pack_into(self._memory, self._end, data.nbytes)
            self._memory[start:end] = data
        self._end = end
        return False

    def _buffers(self) -> Iterator[bytes]:
        """The buffers in order; pickle asks for as many as there are."""
        end = 0
        while True:
            start = end + SIZE.size
            end = start + SIZE.unpack_from(self._memory, end)[0]
            yield self._memory[start:end]


def _received(file: Any) -> Tray:
    return Tray(file.detach())


def _memory_file() -> int:
    """A file without a name that is nowhere but in memory, where the system has such."""
    with contextlib.suppress(AttributeError):  # another system than Linux
        return os.memfd_create("batchsum-tray")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
