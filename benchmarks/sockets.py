"""What it takes to read requests from a socket and to write answers to one: the calls themselves, and nothing else."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def exchange(request: bytes, answer: bytes) -> Iterator[Callable[[], bytearray]]:
    """What is yielded gives a *request* that it has read from a connection within this machine, and writes an *answer* to it.

    A thread is the broker: what it does there belongs to its own processor time.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_connection(door.getsockname()) as ours,
        door.accept()[0] as theirs,
    ):
        broker = threading.Thread(target=_be_the_broker, args=(theirs, request, bytearray(len(answer))))
        broker.start()
        room = bytearray(len(request))

        def once() -> bytearray:
            if not _filled(ours, room):
                raise EOFError
            ours.sendall(answer)
            return room

        try:
            yield once
        finally:
            theirs.shutdown(socket.SHUT_RDWR)  # not ours: it may be waiting for room there, and nobody reads any more
            broker.join()


def _be_the_broker(connection: socket.socket, request: bytes, room: bytearray) -> None:
    with contextlib.suppress(ConnectionError):
        connection.sendall(request)
        while _filled(connection, room):
            connection.sendall(request)


def _filled(connection: socket.socket, room: bytearray) -> bool:
    """Read as much as *room* takes; false if there is no more."""
    left = memoryview(room)
    while left:
        size = connection.recv_into(left)
        if not size:
            return False
        left = left[size:]
    return True
