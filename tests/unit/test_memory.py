"""Memory that is not cleared."""

import io
import sys

import pytest

from consumer.memory import uncleared

SIZES = (2, 1_000, 1_000_000)


@pytest.mark.parametrize("size_bytes", SIZES)
def test_it_is_as_large_as_was_asked_for_and_takes_what_is_written(size_bytes: int) -> None:
    written = b"\x07" * size_bytes
    room = io.BytesIO(uncleared(size_bytes))
    room.getbuffer()[:] = written
    assert room.getvalue() == written


def test_it_belongs_to_whoever_has_asked_and_to_nobody_else() -> None:
    """One reference more, and a response would be copied once more, and never given back."""
    assert sys.getrefcount(uncleared(1_000)) == sys.getrefcount(bytes(1_000))
