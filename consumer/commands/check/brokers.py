"""Brokers: those that the settings name, those that the cluster names, and what they allow their clients to ask for."""

from collections.abc import Iterator

from config.settings import Settings
from consumer.commands.check.finding import Finding, error, note, warning
from consumer.kafka.survey.cluster import Cluster

OFFSETS_RETENTION_MINUTES_MIN = 24 * 60


def reachable(cluster: Cluster) -> Iterator[Finding]:
    """Where no broker answers, and where one says that clients find it."""
    severity = warning if cluster.brokers else error
    for address in cluster.bootstrap:
        if address.trouble:
            yield severity(f"broker {address}", address.trouble.what, address.trouble.mend)
    known = {address for address in cluster.bootstrap if address.trouble}
    for address in cluster.brokers:
        if address.trouble and address not in known:
            yield error(
                f"broker {address}",
                f"the cluster names this address for it, and from here {address.trouble.what}",
                f"mend advertised.listeners of the broker, or the way to it ({address.trouble.mend})",
            )


def timeouts(settings: Settings, cluster: Cluster) -> Iterator[Finding]:
    """Settings that the brokers would refuse, and what they forget too soon."""
    configuration = cluster.broker_configuration
    if configuration is None:
        yield note(
            "brokers", "their configuration may not be read", "allow DescribeConfigs on the cluster to have it checked"
        )
        return
    shortest = int(configuration.get("group.min.session.timeout.ms", 0))
    longest = int(configuration.get("group.max.session.timeout.ms", settings.session_timeout_ms))
    if not shortest <= settings.session_timeout_ms <= longest:
        yield error(
            "session_timeout_ms",
            f"is {settings.session_timeout_ms}, and the brokers let nobody join with less than {shortest} or more than {longest}",
            "set it within these bounds",
        )
    retention = int(configuration.get("offsets.retention.minutes", OFFSETS_RETENTION_MINUTES_MIN))
    if retention < OFFSETS_RETENTION_MINUTES_MIN:
        yield warning(
            "brokers",
            f"forget the offsets of a group {retention} minutes after its last instance has gone, and all is done again",
            f"set offsets.retention.minutes to at least {OFFSETS_RETENTION_MINUTES_MIN}",
        )
    if settings.delivery == "exactly_once":
        transaction = int(configuration.get("transaction.max.timeout.ms", settings.transaction_timeout_ms))
        if settings.transaction_timeout_ms > transaction:
            yield error(
                "transaction_timeout_ms",
                f"is {settings.transaction_timeout_ms}, and the brokers allow {transaction} at most",
                "lower it, or raise transaction.max.timeout.ms of the brokers",
            )


def version(settings: Settings, cluster: Cluster) -> Iterator[Finding]:
    """What exactly once asks of the brokers."""
    if settings.delivery == "exactly_once" and not cluster.is_kafka_4:
        yield error(
            "delivery",
            "is exactly_once, and these brokers are older than Kafka 4: an offset could be read a moment too early",
            "upgrade them, or set it to at_least_once",
        )
