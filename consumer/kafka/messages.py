"""What is published for a chunk: an answer or a dead letter, or both, for each of its records."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from consumer import dead_letter
from consumer.chunk import Chunk, Record
from domain.batch import Code, Outcomes, Rejection

PASSED_ON = frozenset({"traceparent", "tracestate", "correlation-id"})

log = structlog.get_logger(__name__)

# What is to stand in a topic: key, value, headers, and the timestamp in milliseconds (None: now).
Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int | None]

# Makes the rejection of a request, with its failed answer, for a reason that was found outside of the worker.
Reject = Callable[[bytes | None, Code, str], Awaitable[Rejection]]


def answers(chunk: Chunk, outcomes: Outcomes, *, reply_to_failed: bool) -> list[Message]:
    """The answers to *chunk*, in order: keyed as the request or by batchid, and marked with where the request stands.

    Failed answers are dropped from *outcomes* unless *reply_to_failed*.
    """
    if not reply_to_failed:
        for place in outcomes.rejections:
            outcomes.answers[place] = None
    source = f"{chunk.topic}/{chunk.partition}/%d".encode()
    return [
        (
            (batchid or "").encode() if record.key is None else record.key,
            answer,
            [("source", source % record.offset), *(passed_on(record.headers) if record.headers else ())],
            None,
        )
        for record, batchid, answer in zip(chunk.records, outcomes.batchids, outcomes.answers, strict=True)
        if answer is not None
    ]


def passed_on(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Those of a request's headers that its answer has, too."""
    return [header for header in headers if header[0] in PASSED_ON]


def answered(outcomes: Outcomes) -> list[int]:
    """The places of those outcomes that have an answer."""
    return [place for place, answer in enumerate(outcomes.answers) if answer is not None]


def dead_letters(chunk: Chunk, outcomes: Outcomes, service: str) -> list[Message]:
    """The dead letters of *chunk*, in order: the requests as they came, with the reasons behind their headers."""
    return [
        (
            record.key,
            record.value,
            dead_letter.headers(chunk.topic, chunk.partition, record, rejection, service=service),
            record.timestamp,
        )
        for record, rejection in rejected(chunk, outcomes)
    ]


async def refuse(chunk: Chunk, outcomes: Outcomes, place: int, reject: Reject) -> None:
    """Put a rejection in the *place* of an answer that the result topic does not take; if it was one, leave it at that.

    Either way the dead letter tells what has become of the request.
    """
    if place in outcomes.rejections:
        outcomes.answers[place] = None
    else:
        message = "the result topic refuses the answer as too large"
        outcomes.reject(place, await reject(chunk.values[place], Code.RESULT_TOO_LARGE, message))


def log_dead_letters(chunk: Chunk, outcomes: Outcomes) -> None:
    """One warning for each dead letter, with its coordinates and its reason but nothing of its payload."""
    for record, rejection in rejected(chunk, outcomes):
        log.warning(
            "dead letter",
            topic=chunk.topic,
            partition=chunk.partition,
            offset=record.offset,
            batchid=rejection.batchid,
            reason=rejection.code,
            message=rejection.message,
        )


def rejected(chunk: Chunk, outcomes: Outcomes) -> list[tuple[Record, Rejection]]:
    """The records that were rejected, each with its rejection, in order."""
    return [(chunk.records[place], outcomes.rejections[place]) for place in sorted(outcomes.rejections)]
