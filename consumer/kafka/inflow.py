"""Responses on their way in: from the socket straight into the bytes that aiokafka reads them from.

T30: aiokafka has them copied three times, by asyncio's stream, and stops and goes every 128 KiB. Of a large fetch that is
most of what the parent has to do, and clearing memory that is about to be filled would be more of it.
"""

import asyncio
import io
import struct
from typing import Any
from weakref import WeakMethod

from aiokafka import conn

from consumer.memory import uncleared

LENGTH = struct.Struct(">I")
READ_BYTES = 64 * 1024  # of responses that are no larger several may come at once

_create_reader_task = conn.AIOKafkaConnection._create_reader_task


class Inflow(conn.AIOKafkaProtocol, asyncio.BufferedProtocol):  # type: ignore[misc] # aiokafka is not typed
    """What comes in on a connection, cut into responses.

    The stream that aiokafka reads from is told of the end alone, and of what goes wrong; so its own handling of that stays.
    """

    handle: WeakMethod[Any] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pool = memoryview(bytearray(READ_BYTES))
        self._pooled = 0
        self._large: io.BytesIO | None = None  # a response that the pool is too small for,
        self._room = self._pool  # and what of it is still to come

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Where to put what comes next."""
        self._hand_on_large()
        return self._room

    def buffer_updated(self, size: int) -> None:
        """So much has come: hand on what is complete."""
        self._room = self._room[size:]
        if self._large is None:
            self._pooled += size
            self._take_from_pool()
        elif not self._room:
            # Not now, while the caller still looks at the memory: BytesIO would make a copy.
            asyncio.get_running_loop().call_soon(self._hand_on_large)

    def _hand_on_large(self) -> None:
        if self._large is not None and not self._room:
            self._room = self._pool
            response, self._large = self._large.getvalue(), None
            self._hand_on(response)

    def _take_from_pool(self) -> None:
        start, end = 0, self._pooled
        while end - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._pool, start)
            body = start + LENGTH.size
            if length > len(self._pool) - LENGTH.size:
                # The one way to write into bytes before they are: they are BytesIO's alone until they are asked for.
                self._large = io.BytesIO(uncleared(length))
                self._room = self._large.getbuffer()
                self._room[: end - body] = self._pool[body:end]
                self._room = self._room[end - body :]
                self._pooled = 0
                return
            if body + length > end:
                break
            start = body + length
            self._hand_on(bytes(self._pool[body:start]))
        self._pooled = end - start
        self._pool[: self._pooled] = bytes(self._pool[start:end])
        self._room = self._pool[self._pooled :]

    def _hand_on(self, response: bytes) -> None:
        handle = self.handle() if self.handle is not None else None
        if handle is None:
            return
        try:
            handle(response)
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes where aiokafka looks for it
            self._stream_reader.set_exception(error)


def _create_reader_task_fed_directly(self: Any) -> Any:
    self._protocol.handle = WeakMethod(self._handle_frame)
    return _create_reader_task(self)


def install() -> None:
    """Have all connections read that way; more than once does no harm."""
    conn.AIOKafkaProtocol = Inflow
    conn.AIOKafkaConnection._create_reader_task = _create_reader_task_fed_directly
