"""The server: uvicorn in the service's own event loop, with neither signals nor logs of its own."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import ClassVar

import structlog
import uvicorn
from fastapi import FastAPI

from consumer.failures import Failure

KEEP_ALIVE_S = 5
CONNECTIONS_MAX = 512  # beyond it, whoever connects is told 503 by uvicorn itself
STOP_TIMEOUT_S = 5

log = structlog.get_logger(__name__)


class CannotListen(Failure):
    """The address or the port of the settings cannot be had."""

    exit_code: ClassVar[int] = 2


class Server:
    """The HTTP port of one instance.

    It is bound early, so that a port that is taken is told at once, and listens only while it `run`s.
    """

    def __init__(self, app: FastAPI, *, host: str, port: int, stopping: asyncio.Event) -> None:
        self._host = host
        self._port = port
        self._stopping = stopping
        self._socket: socket.socket | None = None
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="error",  # what strangers send is no news
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_TIMEOUT_S,
            )
        )

    def bind(self) -> None:
        """Take the port.

        Raises:
            CannotListen: It is taken, or the address is none of this machine's.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.socket(family)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((self._host, self._port))
        except OSError as error:
            self.close()
            raise CannotListen(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}; set http_host or http_port"
            ) from error
        log.info("HTTP port bound", url=self.url)

    @property
    def url(self) -> str:
        """Where it listens, with the port that it was given if any would do."""
        host, port = self._bound().getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def run(self) -> None:
        """Serve until cancelled; what is being answered then is answered, within `STOP_TIMEOUT_S`."""
        serving = asyncio.create_task(self._uvicorn.serve(sockets=[self._bound()]))
        try:
            await asyncio.shield(serving)
        finally:
            self._stopping.set()
            self._uvicorn.should_exit = True
            await serving

    def close(self) -> None:
        """Give the port back, also if it was never served."""
        if self._socket is not None:
            self._socket.close()

    def _bound(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError("the port is served before it is bound")
        return self._socket


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the instance: it drains before it ends."""
        yield
