"""`batchsum topics create`: make the topics of an instance."""

from dataclasses import asdict

from config.settings import Settings
from consumer.commands import output
from consumer.kafka.topics import create_topics


async def create(settings: Settings, *, partitions: int, replication: int, as_json: bool) -> None:
    """Make the topics that are not there, and say which were."""
    for topic in await create_topics(settings, partitions=partitions, replication=replication):
        if as_json:
            output.as_json(asdict(topic))
        else:
            state = "created" if topic.created else "exists"
            output.line(f"{state} {topic.name}, {topic.partitions} partitions")
