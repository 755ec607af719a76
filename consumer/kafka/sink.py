"""The way out: answers to the result topic, dead letters to theirs."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from consumer import dead_letter
from consumer.chunk import Chunk, Record
from consumer.kafka.publisher import Message, Publisher
from domain.batch import Code, Outcome, Rejection, Result

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

    async def publish(self, chunk: Chunk, outcomes: Sequence[Outcome]) -> None:
        """Publish answers, then dead letters.

        Raises:
            Stalled: One of the topics could not be written for as long as an outage may last.
        """
        outcomes = await self._publish_answers(chunk, list(outcomes))
        rejected = [(r, o) for r, o in zip(chunk.records, outcomes, strict=True) if isinstance(o, Rejection)]
        if rejected:
            await self._publish_dead_letters(chunk, rejected)

    async def _publish_answers(self, chunk: Chunk, outcomes: list[Outcome]) -> list[Outcome]:
        """Publish each outcome's answer, and return the outcomes as they came to be."""
        wanted = [position for position, outcome in enumerate(outcomes) if self._has_answer(outcome)]
        messages = [answer(chunk.records[position], outcomes[position]) for position in wanted]
        published = 0
        while (published := published + await self._results.publish(chunk.partition, messages[published:])) < len(
            wanted
        ):
            position = wanted[published]
            record, refused = chunk.records[position], outcomes[position]
            outcomes[position] = await self._reject(
                record.value, Code.RESULT_TOO_LARGE, "the result topic refuses the answer as too large"
            )
            if isinstance(refused, Result) and self._has_answer(outcomes[position]):
                messages[published] = answer(record, outcomes[position])
            else:  # not even the failed answer fits; the dead letter is what is left
                published += 1
        return outcomes

    def _has_answer(self, outcome: Outcome) -> bool:
        return isinstance(outcome, Result) or (self._reply_to_failed and outcome.answer is not None)

    async def _publish_dead_letters(self, chunk: Chunk, rejected: Sequence[tuple[Record, Rejection]]) -> None:
        letters = [
            Message(
                record.key,
                record.value,
                dead_letter.headers(record, rejection, service=self._service),
                record.timestamp,
            )
            for record, rejection in rejected
        ]
        await self._dead_letters.publish(chunk.partition, letters)
        for record, rejection in rejected:
            log.warning(
                "dead letter",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                batchid=rejection.batchid,
                reason=rejection.code,
                message=rejection.message,
            )


def answer(record: Record, outcome: Outcome) -> Message:
    """The answer to *record*: keyed as the request, or by batchid, and marked with where the request stands."""
    headers = [("source", f"{record.topic}/{record.partition}/{record.offset}".encode())]
    if record.headers:
        headers += [header for header in record.headers if header[0] in PASSED_ON]
    key = record.key if record.key is not None else (outcome.batchid or "").encode()
    return Message(key, outcome.answer, headers)
