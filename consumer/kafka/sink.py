"""The way out: answers to the result topic, dead letters to theirs."""

from collections.abc import Awaitable, Callable

import structlog

from consumer import dead_letter
from consumer.chunk import Chunk, Record
from consumer.kafka.publisher import Message, Publisher
from domain.batch import Code, Outcomes, Rejection

PASSED_ON = frozenset({"traceparent", "tracestate", "correlation-id"})

log = structlog.get_logger(__name__)

Reject = Callable[[bytes | None, Code, str], Awaitable[Rejection]]


class Sink:
    """Publishes the outcomes of a chunk; returns when each is durable.

    Answers go to the result partition of the request partition's number, in request order. `reject` turns a request
    into a rejection with its failed answer: it is called for an answer that the result topic refuses as too large.
    """

    def __init__(
        self, *, results: Publisher, dead_letters: Publisher, reject: Reject, reply_to_failed: bool, service: str
    ) -> None:
        self._results = results
        self._dead_letters = dead_letters
        self._reject = reject
        self._reply_to_failed = reply_to_failed
        self._service = service

    async def publish(self, chunk: Chunk, outcomes: Outcomes) -> None:
        """Publish answers, then dead letters. A batch whose answer is refused as too large is rejected for that.

        Raises:
            Stalled: One of the topics could not be written for as long as an outage may last.
        """
        if not self._reply_to_failed:
            for place in outcomes.rejections:
                outcomes.answers[place] = None
        messages, published = answers(chunk, outcomes), 0
        while (published := published + await self._results.publish(chunk.partition, messages[published:])) < len(
            messages
        ):
            await self._refuse(chunk, outcomes, answered(outcomes)[published])
            messages = answers(chunk, outcomes)
        if outcomes.rejections:
            await self._dead_letters.publish(chunk.partition, dead_letters(chunk, outcomes, self._service))
            log_dead_letters(chunk, outcomes)

    async def _refuse(self, chunk: Chunk, outcomes: Outcomes, place: int) -> None:
        """Put a failed answer in the place of one that the topic refuses; none, if that is what was refused."""
        if place in outcomes.rejections:
            outcomes.answers[place] = None
            return
        rejection = await self._reject(
            chunk.values[place], Code.RESULT_TOO_LARGE, "the result topic refuses the answer as too large"
        )
        outcomes.reject(place, rejection if self._reply_to_failed else rejection._replace(answer=None))


def answers(chunk: Chunk, outcomes: Outcomes) -> list[Message]:
    """The answers to *chunk*, in order: keyed as the request or by batchid, and marked with where the request stands."""
    source = f"{chunk.topic}/{chunk.partition}/%d".encode()
    return [
        (
            (batchid or "").encode() if record.key is None else record.key,
            answer,
            [("source", source % record.offset), *(header for header in record.headers if header[0] in PASSED_ON)],
            None,
        )
        for record, batchid, answer in zip(chunk.records, outcomes.batchids, outcomes.answers, strict=True)
        if answer is not None
    ]


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
