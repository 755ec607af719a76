"""What fetches have brought, as those hear of it who wait for one partition.

T32: whatever comes for one, aiokafka wakes everybody who waits for any, and only after a round of its own that looks
for what to fetch next. With a lane for each partition, most of that is for nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher

from consumer.kafka.connections import within

_make = Fetcher.__init__
_fetched_records = Fetcher.fetched_records


class Arrivals(OrderedDict[TopicPartition, Any]):
    """By partition, what has been fetched and not been taken yet: records, or an error."""

    def __init__(self) -> None:
        super().__init__()
        self._awaited: dict[TopicPartition, asyncio.Future[None]] = {}

    def __setitem__(self, partition: TopicPartition, fetched: Any) -> None:
        super().__setitem__(partition, fetched)
        arrived = self._awaited.pop(partition, None)
        if arrived is not None and not arrived.done():
            arrived.set_result(None)

    async def wait(self, partition: TopicPartition, timeout_s: float) -> None:
        """Return when there is something of *partition*, or after *timeout_s* seconds. Each has one who waits."""
        if partition in self:
            return
        arrived = self._awaited[partition] = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            await within(arrived, timeout_s)


def _make_with_arrivals(self: Any, *args: Any, **options: Any) -> None:
    _make(self, *args, **options)
    self._records = Arrivals()


async def _wait_and_take(
    self: Any, partitions: Sequence[TopicPartition], timeout: float = 0, max_records: int | None = None
) -> dict[TopicPartition, list[Any]]:
    if timeout and len(partitions) == 1:
        await self._records.wait(*partitions, timeout)
        timeout = 0
    taken: dict[TopicPartition, list[Any]] = await _fetched_records(self, partitions, timeout, max_records)
    return taken


def install() -> None:
    """Have all fetchers do that; more than once does no harm."""
    Fetcher.__init__ = _make_with_arrivals
    Fetcher.fetched_records = _wait_and_take
