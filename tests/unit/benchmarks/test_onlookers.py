"""Who looks on must have seen something, or the figures are those of an instance that nobody looks at."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.onlookers import NobodyLooked, Onlookers
from tests.support.brokers.ports import free_port
from tests.support.waiting import POLL_S


class Port(BaseHTTPRequestHandler):
    """Metrics, and a page's events that end after two."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        body = {"/metrics": b"batchsum_lag 3\n", "/events": b"data: 1\n\ndata: 2\n\n"}
        self.wfile.write(body[self.path])

    def log_message(self, *_: object) -> None:
        """Standard error is for people."""


@contextmanager
def served(port: int) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", port), Port) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_metrics_are_scraped_and_the_page_is_read_once_the_port_is_open() -> None:
    port = free_port()
    looked = threading.Event()
    with Onlookers(port) as onlookers, served(port):
        while not (onlookers.scrapes and onlookers.events >= 2):
            looked.wait(POLL_S)
    assert onlookers.scrapes >= 1


def test_a_port_that_never_opens_is_no_instance_that_was_looked_at() -> None:
    with pytest.raises(NobodyLooked, match="0 scrapes"), Onlookers(free_port()):
        pass
