"""Topics: whether they are there, and whether what they keep and take fits what the service does with them."""

from collections.abc import Iterator

from config.settings import Settings
from consumer.commands.check.finding import Finding, error, note, warning
from consumer.kafka.survey.cluster import Cluster, Topic

MAKE = "`batchsum topics create` makes it"
DEAD_LETTER_HEADERS_BYTES_MAX = 64 * 1024
RECORD_OVERHEAD_BYTES = 512  # of a batch with one record: its frame, the key, and headers that are passed on
HOUR_MS = 60 * 60 * 1000
UNLIMITED_MS = (1 << 63) - 1


def topics(settings: Settings, cluster: Cluster) -> Iterator[Finding]:
    """All about the three topics that can be seen without reading them."""
    if not cluster.brokers:
        return
    names = (settings.request_topic, settings.result_topic, settings.dead_letter_topic)
    for name in names:
        topic = cluster.topics.get(name)
        if topic is None:
            yield error(f"topic {name}", "is not there", MAKE)
        elif topic.is_forbidden:
            yield error(f"topic {name}", "is not there, or may not be described", f"allow Describe on it; {MAKE}")
        else:
            yield from _copies(topic, brokers=len(cluster.brokers), is_written=name != settings.request_topic)
    requests, results, letters = (cluster.topics.get(name, Topic(name)) for name in names)
    yield from _partitions(settings, requests, results)
    yield from _sizes(settings, requests, results, letters)
    yield from _keeping(requests, results, letters)
    yield from _timestamps(requests, letters)


def _copies(topic: Topic, *, brokers: int, is_written: bool) -> Iterator[Finding]:
    subject = f"topic {topic.name}"
    if topic.configuration is None:
        yield note(subject, "its configuration may not be read", "allow DescribeConfigs on it to have it checked")
    if leaderless := sum(not partition.has_leader for partition in topic.partitions):
        yield error(subject, f"{leaderless} of its partitions have no leader", "start the brokers that have them")
    copies = min(partition.replicas for partition in topic.partitions)
    in_sync = min(partition.in_sync for partition in topic.partitions)
    needed = topic.number("min.insync.replicas") or 1
    if in_sync < needed and is_written:
        yield error(
            subject,
            f"a partition has {in_sync} copies in sync and needs {needed}: nothing can be written to it",
            "start the brokers that are missing",
        )
    elif in_sync < copies:
        yield warning(subject, f"a partition has {in_sync} of {copies} copies in sync", "look for the broker that lags")
    if copies == 1:
        lone = note if brokers == 1 else warning
        yield lone(subject, "has one copy of each partition, which can be lost with its broker", "replicate it to 3")
    elif needed == 1 and topic.configuration is not None:
        yield warning(
            subject,
            "min.insync.replicas is 1, so what is acknowledged may be on a single broker",
            f"set it to {copies // 2 + 1}",
        )
    elif needed == copies:
        yield warning(
            subject,
            f"min.insync.replicas is {needed}, as many as there are copies: one broker less, and nothing can be written",
            f"set it to {copies // 2 + 1}",
        )


def _partitions(settings: Settings, requests: Topic, results: Topic) -> Iterator[Finding]:
    asked, answered = len(requests.partitions), len(results.partitions)
    if asked and answered and asked > answered:
        yield warning(
            f"topic {results.name}",
            f"has {answered} partitions and the requests have {asked}, so some of them share one and its leader",
            f"give it {asked} before it is used: adding partitions later moves answers",
        )
    if asked == 1:
        yield note(f"topic {requests.name}", "has one partition, so only one instance can work", "give it more")
    chunks = asked * settings.lane_chunks_max
    if settings.workers and 0 < chunks < settings.workers:
        yield warning(
            "workers",
            f"are {settings.workers}, and {asked} partitions of {settings.lane_chunks_max} chunks can keep {chunks} of them busy",
            "lower them, or raise lane_chunks_max or the partitions of the request topic",
        )


def _sizes(settings: Settings, requests: Topic, results: Topic, letters: Topic) -> Iterator[Finding]:
    answer = results.number("max.message.bytes")
    if answer is not None and answer < settings.result_bytes_max + RECORD_OVERHEAD_BYTES:
        yield warning(
            f"topic {results.name}",
            f"takes records of {answer} bytes, and result_bytes_max allows {settings.result_bytes_max}: answers in between are found out"
            " only when they are refused",
            f"raise max.message.bytes to {settings.result_bytes_max + RECORD_OVERHEAD_BYTES}, or lower result_bytes_max",
        )
    if answer is not None and answer < settings.publish_batch_bytes_max:
        yield warning(
            f"topic {results.name}",
            f"takes {answer} bytes at once, and publish_batch_bytes_max is {settings.publish_batch_bytes_max}: each refusal costs a producer",
            "lower publish_batch_bytes_max, or raise max.message.bytes",
        )
    request, letter = requests.number("max.message.bytes"), letters.number("max.message.bytes")
    if request is not None and letter is not None and letter < request + DEAD_LETTER_HEADERS_BYTES_MAX:
        yield error(
            f"topic {letters.name}",
            f"takes records of {letter} bytes and the request topic {request}: a large one that fails would hold its partition",
            f"raise max.message.bytes to {request + DEAD_LETTER_HEADERS_BYTES_MAX}, to leave room for the reason",
        )


def _keeping(requests: Topic, results: Topic, letters: Topic) -> Iterator[Finding]:
    compacted = (
        (requests, warning, "a request is deleted unread when a later one has its key"),
        (results, warning, "an answer is deleted when a later one has its key"),
        (letters, error, "a dead letter without a key is refused, and holds its partition"),
    )
    for topic, severity, harm in compacted:
        if "compact" in (topic.configuration or {}).get("cleanup.policy", ""):
            yield severity(f"topic {topic.name}", f"is compacted: {harm}", "set cleanup.policy to delete")
    request, letter = requests.number("retention.ms"), letters.number("retention.ms")
    if request is not None and 0 <= request < HOUR_MS:
        yield warning(
            f"topic {requests.name}",
            f"keeps requests for {request // 1000} s: an outage that is longer loses them",
            "raise retention.ms to days",
        )
    if (requests.number("retention.bytes") or -1) >= 0:
        yield warning(
            f"topic {requests.name}",
            f"deletes what is above {requests.number('retention.bytes')} bytes in a partition, read or not",
            "set retention.bytes to -1",
        )
    if request is not None and letter is not None and 0 <= letter < (request if request >= 0 else UNLIMITED_MS):
        yield warning(
            f"topic {letters.name}",
            "keeps less than the request topic, and a dead letter has its request's age: it could be deleted as soon as it is written",
            "raise its retention.ms above the request topic's",
        )


def _timestamps(requests: Topic, letters: Topic) -> Iterator[Finding]:
    if (letters.configuration or {}).get("message.timestamp.type") == "LogAppendTime":
        yield warning(
            f"topic {letters.name}",
            "stamps records itself, so the request's own time is not kept",
            "set message.timestamp.type to CreateTime",
        )
        return
    oldest, kept = letters.number("message.timestamp.before.max.ms"), requests.number("retention.ms")
    if oldest is not None and kept is not None and oldest < (kept if kept >= 0 else UNLIMITED_MS):
        yield error(
            f"topic {letters.name}",
            f"refuses records older than {oldest} ms, and requests may be older: one that fails would hold its partition",
            "raise message.timestamp.before.max.ms",
        )
