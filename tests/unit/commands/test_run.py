"""What signals do to a running instance."""

import asyncio
import os
import time
from signal import SIGINT, SIGTERM

import pytest

from consumer.commands.run import SAME_SIGNAL_S, Signals


class Ended(BaseException):
    """The process would have ended here."""


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    def exit_at_once(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", exit_at_once)
    return asyncio.Event()


def test_the_first_signal_asks_for_an_orderly_stop(stop: asyncio.Event) -> None:
    Signals(stop).take(SIGTERM)
    assert stop.is_set()


def test_the_same_signal_sent_twice_at_once_counts_as_one(stop: asyncio.Event) -> None:
    signals = Signals(stop)
    signals.take(SIGTERM)
    signals.take(SIGTERM)
    assert stop.is_set()


def test_a_second_signal_ends_the_process_at_once(stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = Signals(stop)
    signals.take(SIGTERM)
    later = time.monotonic() + SAME_SIGNAL_S
    monkeypatch.setattr(time, "monotonic", lambda: later + 0.01)
    with pytest.raises(Ended) as caught:
        signals.take(SIGINT)
    assert caught.value.args == (6,)
