"""Waiting for a condition, for a bounded time, in code that has no event loop."""

import time
from collections.abc import Callable

from tests.support.brokers.broker import BrokerError
from tests.support.waiting import patience

LOOK_AGAIN_AFTER_S = 0.05


def wait_until(condition: Callable[[], bool], *, what: str, timeout_s: float) -> None:
    """Return as soon as *condition* holds.

    Raises:
        BrokerError: It did not hold within *timeout_s*, with patience.
    """
    started_at = time.monotonic()
    while not condition():
        if time.monotonic() > started_at + timeout_s * patience():
            raise BrokerError(f"not within {timeout_s:g} s: {what}")
        time.sleep(LOOK_AGAIN_AFTER_S)
