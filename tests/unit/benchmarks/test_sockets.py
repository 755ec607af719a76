"""A connection with a broker at its other end that sends and takes, and does nothing else."""

import threading

import pytest

from benchmarks.sockets import exchange

MORE_THAN_FITS = 8 * 1024 * 1024  # into the buffers of both ends


@pytest.mark.parametrize("size", [1, 1_000, MORE_THAN_FITS])
def test_requests_come_in_and_answers_go_out_however_large_they_are(size: int) -> None:
    """The next request comes only when the answer to the one before has been taken."""
    with exchange(b"q" * size, b"a" * (size // 2 + 1)) as once:
        for _ in range(3):
            assert once() == b"q" * size


def test_nothing_of_it_is_left_running() -> None:
    before = {*threading.enumerate()}
    with exchange(b"request", b"answer") as once:
        once()
        assert {*threading.enumerate()} > before
    assert {*threading.enumerate()} <= before


def test_a_request_that_nobody_reads_holds_nothing_up() -> None:
    """Its other end waits for room by then."""
    before = {*threading.enumerate()}
    with exchange(b"q" * MORE_THAN_FITS, b"a"):
        pass
    assert {*threading.enumerate()} <= before
