"""A dead letter: the request bit for bit, with headers that say why it could not be processed."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from consumer.chunk import Record
from domain.batch import Rejection

# The headers of a dead letter, in the order in which they follow the request's own.
REASON = "dlq.reason"
MESSAGE = "dlq.message"
DETAILS = "dlq.details"
TOPIC = "dlq.topic"
PARTITION = "dlq.partition"
OFFSET = "dlq.offset"
FAILED_AT = "dlq.failed_at"
ATTEMPTS = "dlq.attempts"
SERVICE = "dlq.service"
EXIT = "dlq.exit"
ELAPSED = "dlq.elapsed_ms"

COORDINATES = (TOPIC, PARTITION, OFFSET)

# A header of the request, once it has been a dead letter and was replayed: how often, and as which letter the last
# time, as count/topic/partition/offset.
REPLAYED = "dlq.replayed"


def headers(
    topic: str, partition: int, record: Record, rejection: Rejection, *, service: str
) -> list[tuple[str, bytes]]:
    """The request's own headers, untouched, and behind them the reason and where the request stood.

    *service* is the name and version of who says so. Values are UTF-8 text; `dlq.details` is a JSON list of objects
    with `path` and `message`.
    """
    details = [detail._asdict() for detail in rejection.details]
    reasons = {
        REASON: rejection.code,
        MESSAGE: rejection.message,
        DETAILS: json.dumps(details, ensure_ascii=False),
        TOPIC: topic,
        PARTITION: partition,
        OFFSET: record.offset,
        FAILED_AT: datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        ATTEMPTS: rejection.attempts,
        SERVICE: service,
    }
    if rejection.exit is not None:
        reasons[EXIT] = rejection.exit
    if rejection.elapsed_ms is not None:
        reasons[ELAPSED] = rejection.elapsed_ms
    return [*record.headers, *((name, str(value).encode()) for name, value in reasons.items())]


def split(
    headers: Sequence[tuple[str, bytes | None]],
) -> tuple[Sequence[tuple[str, bytes | None]], dict[str, bytes | None]]:
    """The request's own headers, and the reasons behind them: what `headers` has put together.

    A request may have been a dead letter before, or pretend to have been, so the last reason is where its own end.
    """
    for place in reversed(range(len(headers))):
        if headers[place][0] == REASON:
            return headers[:place], dict(headers[place:])
    return headers, {}
