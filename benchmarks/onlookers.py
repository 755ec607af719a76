"""Who looks on while an instance works: a scraper of its metrics, and a reader of its live page."""

import http.client
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
SCRAPE_EVERY_S = 1.0
TRY_AGAIN_AFTER_S = 0.1
TIMEOUT_S = 5.0


class NobodyLooked(RuntimeError):
    """The port did not give what was asked of it: what was measured is not an instance that is looked at."""


class Onlookers:
    """Both, on the port of the loopback interface, from when it answers until the context is left.

    Raises:
        NobodyLooked: When it is left: the metrics were never had, or the page was sent nothing.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._left = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(look,), daemon=True) for look in (self._scrape, self._read_page)
        ]
        self.scrapes = 0
        self.events = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        for thread in self._threads:
            thread.join()
        if kind is None and not (self.scrapes and self.events):
            raise NobodyLooked(f"{self.scrapes} scrapes of the metrics, {self.events} events of the page")

    def _keep(self, looking: Callable[[http.client.HTTPConnection], None]) -> None:
        """Look again and again: until the port is open, and after it was closed, nobody answers."""
        while not self._left.is_set():
            with (
                suppress(OSError, http.client.HTTPException),
                closing(http.client.HTTPConnection(HOST, self._port, timeout=TIMEOUT_S)) as connection,
            ):
                looking(connection)
            self._left.wait(TRY_AGAIN_AFTER_S)

    def _scrape(self, connection: http.client.HTTPConnection) -> None:
        while not self._left.is_set():
            connection.request("GET", "/metrics")
            self.scrapes += b"batchsum_" in connection.getresponse().read()
            self._left.wait(SCRAPE_EVERY_S)

    def _read_page(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        while not self._left.is_set() and (line := answer.readline()):
            self.events += line.startswith(b"data:")
