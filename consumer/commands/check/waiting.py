"""What waits in the request topic: whether retention is faster than the service, and whether clocks agree."""

from collections.abc import Iterator

from config.settings import Settings
from consumer.commands.check.finding import Finding, error, warning
from consumer.kafka.survey.backlog import Backlog
from consumer.kafka.survey.cluster import Topic

# Of the retention: from here on it is time to look, and to act.
AGE_SHARE_LOOK, AGE_SHARE_ACT = 0.5, 0.8


def waiting(settings: Settings, requests: Topic, backlog: Backlog) -> Iterator[Finding]:
    """What follows from the age of the oldest request that is not done, and from the newest that is there."""
    subject = f"group {settings.group_id}"
    if backlog.lost:
        then = "and stop there" if settings.lost_offsets == "stop" else "and go on with what is left"
        yield error(
            subject,
            f"{backlog.lost} requests were deleted before they were read; an instance would say so {then}",
            "raise retention.ms of the request topic, and ask the producers for them again",
        )
    retention_ms = requests.number("retention.ms")
    if retention_ms is not None and retention_ms > 0 and backlog.oldest_ms > AGE_SHARE_LOOK * retention_ms:
        severity = error if backlog.oldest_ms > AGE_SHARE_ACT * retention_ms else warning
        yield severity(
            subject,
            f"{backlog.waiting} requests wait, the oldest for {backlog.oldest_ms // 1000} s of the {retention_ms // 1000} s"
            " that they are kept",
            "raise retention.ms of the request topic now, then add instances",
        )
    if backlog.future_ms:
        yield warning(
            "clock",
            f"a request was stamped {backlog.future_ms / 1000:.0f} s later than it is here, so lags and timestamps are wrong",
            "set the clocks of this machine, the brokers and the producers by NTP",
        )
