"""`batchsum check`: what is wrong before an instance is started, and how to mend it."""

from collections.abc import AsyncIterator, Iterator, Sequence

from config.logging import printable
from config.settings import Settings
from consumer.commands import output
from consumer.commands.check.brokers import reachable, timeouts, version
from consumer.commands.check.finding import Finding, Severity, note
from consumer.commands.check.machine import Machine, grace, machine
from consumer.commands.check.permissions import permissions
from consumer.commands.check.topics import topics
from consumer.commands.check.waiting import waiting
from consumer.kafka.client import describe
from consumer.kafka.survey.backlog import UNREADABLE, backlog
from consumer.kafka.survey.cluster import Cluster, survey

EXIT_CODES = {Severity.ERROR: 9, Severity.WARNING: 10, Severity.NOTE: 0}


async def check(settings: Settings, *, grace_period_s: float | None, as_json: bool) -> int:
    """Print what is wrong, worst first, and return the exit code of the worst. Nothing is joined, made or changed."""
    cluster = await survey(settings)
    found = [
        *local(settings, cluster, Machine.this(), grace_period_s),
        *remote(settings, cluster),
        *[finding async for finding in _backlog(settings, cluster)],
    ]
    found.sort(key=lambda finding: finding.severity)  # and within, in the order of the checks
    for finding in found:
        if as_json:
            output.as_json(_as_json(finding))
        else:
            output.line(printable(finding.line))
    output.note(_summary(found))
    return EXIT_CODES[min((finding.severity for finding in found), default=Severity.NOTE)]


def local(
    settings: Settings, cluster: Cluster, here: Machine, grace_period_s: float | None = None
) -> Iterator[Finding]:
    """What is wrong on this side."""
    yield from machine(settings, cluster, here)
    yield from grace(settings, grace_period_s)


def remote(settings: Settings, cluster: Cluster) -> Iterator[Finding]:
    """What is wrong on the other side."""
    yield from reachable(cluster)
    if any(address.trouble is None for address in cluster.brokers):
        yield from timeouts(settings, cluster)
        yield from version(settings, cluster)
        yield from permissions(settings, cluster)
    yield from topics(settings, cluster)


async def _backlog(settings: Settings, cluster: Cluster) -> AsyncIterator[Finding]:
    requests = cluster.topics.get(settings.request_topic)
    is_readable = (
        requests is not None
        and not cluster.group_is_forbidden
        and (requests.operations is None or "Read" in requests.operations)
        and all(partition.has_leader for partition in requests.partitions)
        and all(address.trouble is None for address in cluster.brokers)
    )
    if requests is None or not requests.partitions or not is_readable:
        return
    try:
        found = await backlog(settings, len(requests.partitions), has_groups=cluster.has_groups)
    except UNREADABLE as error:
        yield note(f"group {settings.group_id}", f"its lag cannot be read: {describe(error)}", "try again")
    else:
        for finding in waiting(settings, requests, found):
            yield finding


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity.word,
        "subject": finding.subject,
        "what": finding.what,
        "mend": finding.mend,
    }


def _summary(found: Sequence[Finding]) -> str:
    counts = [(severity, sum(finding.severity is severity for finding in found)) for severity in Severity]
    told = ", ".join(f"{count} {severity.word}{'s' * (count > 1)}" for severity, count in counts if count)
    return told or "nothing is wrong"
