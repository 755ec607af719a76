"""Waiting for a condition, instead of for a time."""

import asyncio
import os
import time
from collections.abc import Callable

from config.cpus import usable_cpus

POLL_S = 0.02


def patience() -> float:
    """How many times as long as it should, anything may take at the moment: the processes that want to run, for each CPU.

    Every bound of time in the tests is meant for a machine that has nothing else to do, and is multiplied by this. So
    what is slow because of its neighbours can be told from what does not come at all.
    """
    return max(1.0, os.getloadavg()[0] / usable_cpus())


async def wait_until(condition: Callable[[], object], *, timeout_s: float = 20.0, what: str = "") -> None:
    """Return as soon as *condition* holds.

    Raises:
        TimeoutError: It did not hold within *timeout_s*, with patience.
    """
    started_at = time.monotonic()
    while not condition():
        if time.monotonic() > started_at + timeout_s * patience():
            raise TimeoutError(what or f"{condition} did not hold within {timeout_s} s")
        await asyncio.sleep(POLL_S)
