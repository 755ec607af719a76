"""Topics and a group that no other test knows."""

import uuid
from typing import NamedTuple

from tests.support.brokers.broker import Broker

DEAD_LETTER_HEADERS_BYTES = 64 * 1024
RECORD_BYTES_MAX = 1_048_588  # the brokers' default for message.max.bytes


class Topics(NamedTuple):
    """What one instance is told to use; the names are those of its settings: `Settings(**topics._asdict())`."""

    request_topic: str
    result_topic: str
    dead_letter_topic: str
    group_id: str


def fresh_topics(broker: Broker, *, partitions: int = 4) -> Topics:
    """Create topics for one test, so that it disturbs no other and is disturbed by none."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    topics = Topics(f"{name}-requests", f"{name}-results", f"{name}-requests-dlq", group_id=name)
    broker.create_topic(topics.request_topic, partitions=partitions)
    broker.create_topic(topics.result_topic, partitions=partitions)
    # A dead letter is the request and the headers that tell why: it must fit where the largest request does.
    room = RECORD_BYTES_MAX + DEAD_LETTER_HEADERS_BYTES
    broker.create_topic(topics.dead_letter_topic, partitions=partitions, max_message_bytes=str(room))
    return topics
