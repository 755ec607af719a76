"""Waiting for a condition, instead of for a time."""

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.02


async def wait_until(condition: Callable[[], object], *, timeout_s: float = 20.0, what: str = "") -> None:
    """Return as soon as *condition* holds.

    Raises:
        TimeoutError: It did not hold within *timeout_s*.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what or f"{condition} did not hold within {timeout_s} s")
        await asyncio.sleep(POLL_S)
