"""The watchdog: an instance that makes no progress says so, and then ends, for its supervisor to start it again."""

import asyncio
import faulthandler
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from consumer import metrics
from consumer.failures import Stalled

INTERVAL_S = 1.0
STALL_NOTED_S = 0.5

log = structlog.get_logger(__name__)


class Watchdog:
    """Looks around once a second.

    *check* raises what the instance cannot recover from. *troubles* yields, by name, what keeps it from being healthy
    at the moment. An event loop that stands still cannot look at anything, so it is watched from outside: if it does
    not come round for *stall_timeout_s*, the process prints every stack and ends.
    """

    def __init__(
        self,
        *,
        check: Callable[[], None],
        troubles: Callable[[], Iterator[str]],
        stall_timeout_s: float,
        heartbeat_file: Path | None,
    ) -> None:
        self._check = check
        self._troubles = troubles
        self._stall_timeout_s = stall_timeout_s
        self._heartbeat_file = heartbeat_file
        self.stalls = 0

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            Stalled: The instance cannot go on.
        """
        healthy = True
        try:
            while True:
                faulthandler.dump_traceback_later(self._stall_timeout_s, exit=True, file=sys.__stderr__ or sys.stderr)
                before = time.monotonic()
                await asyncio.sleep(INTERVAL_S)
                self._note_stall(time.monotonic() - before - INTERVAL_S)
                self._check()
                troubles = list(self._troubles())
                if healthy is bool(troubles):
                    healthy = not troubles
                    log.info("healthy") if healthy else log.warning("not healthy", troubles=troubles)
                if healthy and self._heartbeat_file is not None:
                    self._beat(self._heartbeat_file)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _note_stall(self, stall_s: float) -> None:
        if stall_s > STALL_NOTED_S:
            self.stalls += 1
            metrics.LOOP_STALLS.inc()
            log.warning("event loop stood still", seconds=round(stall_s, 3))

    def _beat(self, file: Path) -> None:
        try:
            file.touch()
        except OSError as error:
            raise Stalled(f"the heartbeat file cannot be touched: {error}") from error
