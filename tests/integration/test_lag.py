"""The lag of a partition in seconds, while there is a backlog."""

import asyncio

from tests.support.brokers import Broker, Topics
from tests.support.in_process import running_service
from tests.support.kafka import produce, settings_for
from tests.support.records import request

HOUR_S = 3600
BATCHES = 5_000


async def test_a_backlog_of_an_hour_is_told_as_such_at_every_moment_until_it_is_done(
    broker: Broker, topics: Topics
) -> None:
    """With one chunk at a time, there is nothing in flight again and again."""
    await produce(broker, topics.request_topic, [request(str(number)) for number in range(BATCHES)], age_s=HOUR_S)
    told: set[tuple[bool, bool]] = set()
    async with running_service(settings_for(broker, topics, lane_chunks_max=1, chunk_records_max=50)) as service:
        while service.report.batches < BATCHES:
            lanes = service.snapshot().lanes if 0 < service.report.batches < BATCHES else ()
            told |= {(bool(lane.chunks), (lane.oldest_s or 0) > HOUR_S - 60) for lane in lanes if lane.partition == 0}
            await asyncio.sleep(0)
        assert service.snapshot().lanes[0].oldest_s is None
    assert told == {(True, True), (False, True)}
