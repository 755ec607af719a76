"""Permissions: those that the service needs, and no others.

Idempotent producers need none of their own: since Kafka 2.8, whoever may write to a topic may be one.
"""

from collections.abc import Iterator

from config.settings import Settings
from consumer.commands.check.finding import Finding, error
from consumer.kafka.survey.cluster import Cluster


def permissions(settings: Settings, cluster: Cluster) -> Iterator[Finding]:
    """What the principal of the settings may not do, though an instance has to."""
    wanted = (
        (settings.request_topic, "Read", "requests cannot be fetched"),
        (settings.result_topic, "Write", "answers cannot be published"),
        (settings.dead_letter_topic, "Write", "a request that fails would hold its partition"),
    )
    for name, operation, harm in wanted:
        topic = cluster.topics.get(name)
        if topic is not None and topic.operations is not None and operation not in topic.operations:
            yield error(f"topic {name}", f"{operation} is not allowed: {harm}", f"allow {operation} on the topic")
    if cluster.group_is_forbidden:
        yield error(f"group {settings.group_id}", "Read is not allowed: it cannot be joined", "allow Read on the group")
    if cluster.transactions_forbidden:
        ids = f"{settings.group_id}-{settings.request_topic}-"
        yield error(
            f"transactional ids {ids}*",
            f"Write is not allowed for {len(cluster.transactions_forbidden)} partitions: their results cannot be published",
            f"allow Write on transactional ids with the prefix {ids}",
        )
