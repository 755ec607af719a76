"""A TCP proxy of the tests' own: what a bad network does between a client and a broker, on demand."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self, TypeAlias

from tests.support.brokers.ports import HOST, free_port

PIECE_BYTES = 64 * 1024
PIECES_MAX = 64
SLICE_S = 0.1
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

# What is under way in one direction, each with the time at which it is due; an empty one at the end.
Pieces: TypeAlias = "asyncio.Queue[tuple[float, bytes]]"


class Proxy:
    """Passes bytes on to *target* from an address that it keeps, and does as it is told.

    `latency_s` delays every piece, without holding back the next one; `bytes_per_s` is what one connection gets in each
    direction, and `upward_bytes_per_s` what it gets towards the target alone (0: no limit). All of them may be changed
    while connections are open. `usual_latency_s` is that of a healthy day.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = f"{HOST}:{free_port()}"
        self.usual_latency_s = self.latency_s = 0.0
        self.bytes_per_s = self.upward_bytes_per_s = 0
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Listen for as long as the context lasts; whatever was disturbed before is healed."""
        self.usual_latency_s = 0.0
        await self.heal()
        try:
            yield self
        finally:
            await self.refuse()

    async def accept(self) -> None:
        """Let clients connect, as after the start."""
        if self._server is None:
            host, _, port = self.address.rpartition(":")
            self._server = await asyncio.start_server(self._serve, host, int(port))

    async def refuse(self) -> None:
        """Reset all connections, and refuse new ones, as a host does on which nothing listens."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            self.reset()
            if self._serving:
                await asyncio.wait(self._serving)

    def reset(self) -> int:
        """Reset all connections, and return how many there were."""
        for connection in self.connections:
            connection.reset()
        return len(self.connections)

    def half_open(self) -> int:
        """Swallow, without a sign, all that passes on the connections there are; new ones are well."""
        for connection in self.connections:
            connection.swallows = True
        return len(self.connections)

    async def heal(self) -> None:
        """Disturb nothing any more; what was swallowed does not come back."""
        self.latency_s, self.bytes_per_s, self.upward_bytes_per_s = self.usual_latency_s, 0, 0
        await self.accept()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._connect(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        try:
            back_reader, back_writer = await asyncio.open_connection(host, int(port))
        except OSError:  # the broker is down: the client is to see just that
            _reset(writer)
            return
        connection = Connection(writer, back_writer)
        if self._server is None:  # it has begun to refuse meanwhile
            connection.reset()
            return
        self.connections.add(connection)
        try:
            async with asyncio.TaskGroup() as tasks:
                for near, far, upward in ((reader, back_writer, True), (back_reader, writer, False)):
                    pieces: Pieces = asyncio.Queue(PIECES_MAX)
                    tasks.create_task(self._take(near, pieces))
                    tasks.create_task(self._give(connection, pieces, far, upward=upward))
        except* OSError:
            connection.reset()
        finally:
            connection.close()
            self.connections.discard(connection)

    async def _take(self, near: asyncio.StreamReader, pieces: Pieces) -> None:
        now = asyncio.get_running_loop().time
        while piece := await near.read(PIECE_BYTES):
            await pieces.put((now() + self.latency_s, piece))
        await pieces.put((now(), b""))

    async def _give(self, connection: "Connection", pieces: Pieces, far: asyncio.StreamWriter, *, upward: bool) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due_at, piece = await pieces.get()
            while self.latency_s and now() < due_at:
                await asyncio.sleep(min(SLICE_S, due_at - now()))
            if not piece:
                break
            if not connection.swallows:
                await self._write(far, piece, upward=upward)
        if not connection.swallows:
            connection.close()

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes, *, upward: bool) -> None:
        while piece and (bytes_per_s := (upward and self.upward_bytes_per_s) or self.bytes_per_s):
            slice_bytes = max(1, int(bytes_per_s * SLICE_S))
            writer.write(piece[:slice_bytes])
            piece = piece[slice_bytes:]
            await asyncio.sleep(SLICE_S)
        writer.write(piece)
        await writer.drain()


class Connection:
    """Both halves of a proxied connection."""

    def __init__(self, front: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        self._halves = (front, back)
        self.swallows = False

    def reset(self) -> None:
        """End it so that both sides see an error."""
        for half in self._halves:
            _reset(half)

    def close(self) -> None:
        """End it so that both sides see its end."""
        for half in self._halves:
            with contextlib.suppress(OSError):
                half.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    own = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
