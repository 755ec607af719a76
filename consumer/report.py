"""The instance's account of itself in the log: a line per chunk at debug, a summary per interval at info."""

import asyncio
import time
from collections.abc import Callable

import structlog

from consumer.chunk import Chunk, Processed

log = structlog.get_logger(__name__)


class Report:
    """Counts what has been delivered."""

    def __init__(self, *, interval_s: float, lag: Callable[[], int]) -> None:
        self._interval_s = interval_s
        self._lag = lag
        # Bound once, not anew for each chunk: of those there may be hundreds a second.
        self._log = log.bind()
        self.chunks = self.batches = self.rejections = self.size_bytes = 0

    def delivered(self, chunk: Chunk, processed: Processed) -> None:
        """Count *chunk*, whose outcomes are durable now."""
        self.chunks += 1
        self.batches += processed.records
        self.rejections += len(processed.rejections)
        self.size_bytes += chunk.size_bytes
        self._log.debug(
            "chunk delivered",
            topic=chunk.topic,
            partition=chunk.partition,
            offset=chunk.first_offset,
            chunk=f"{chunk.partition}/{chunk.first_offset}-{chunk.next_offset - 1}",
            batches=processed.records,
            rejections=len(processed.rejections),
            size_bytes=chunk.size_bytes,
            elapsed_ms=round(1000 * (time.monotonic() - chunk.fetched_at), 1),
        )

    async def run(self) -> None:
        """Log a summary of each interval in which something happened or the lag has changed, and of the first after it."""
        batches_before = rejections_before = lag_before = -1
        while True:
            batches, rejections, started = self.batches, self.rejections, time.monotonic()
            await asyncio.sleep(self._interval_s)
            lag = self._lag()
            quiet = (self.batches, self.rejections) == (batches, rejections) == (batches_before, rejections_before)
            if quiet and lag == lag_before:
                continue
            batches_before, rejections_before, lag_before = batches, rejections, lag
            log.info(
                "summary",
                batches=self.batches - batches,
                rejections=self.rejections - rejections,
                batches_per_s=round((self.batches - batches) / (time.monotonic() - started)),
                batches_total=self.batches,
                lag=lag,
            )
