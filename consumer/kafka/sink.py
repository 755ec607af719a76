"""At least once: answers first, then dead letters, and then the offset, which others commit."""

from collections.abc import Sequence
from functools import partial

from consumer.chunk import Chunk, Finished
from consumer.kafka.messages import Reject, answered, answers, dead_letters, log_dead_letters, refuse
from consumer.kafka.publisher import Publisher
from domain.batch import Outcomes


class Sink:
    """Publishes the outcomes of chunks; returns when each is durable.

    Answers go to the result partition of the request partition's number, in request order. `reject` turns a request
    into a rejection with its failed answer: it is called for an answer that the result topic refuses as too large.
    """

    def __init__(
        self, *, results: Publisher, dead_letters: Publisher, reject: Reject, reply_to_failed: bool, service: str
    ) -> None:
        self._results = results
        self._dead_letters = dead_letters
        self._reject = reject
        self._answers = partial(answers, reply_to_failed=reply_to_failed)
        self._service = service

    async def open(self) -> None:
        """Nothing to do: its producers are shared by all lanes, and open as long as the instance runs."""

    async def close(self) -> None:
        """Nothing to do, as for `open`."""

    async def publish(self, run: Sequence[Finished]) -> None:
        """Publish answers, then dead letters, chunk by chunk.

        Raises:
            Stalled: One of the topics could not be written for as long as an outage may last.
        """
        for chunk, outcomes in run:
            await self._publish(chunk, outcomes)

    async def _publish(self, chunk: Chunk, outcomes: Outcomes) -> None:
        """A batch whose answer is refused as too large is rejected for that."""
        messages, published = self._answers(chunk, outcomes), 0
        while (published := published + await self._results.publish(chunk.partition, messages[published:])) < len(
            messages
        ):
            await refuse(chunk, outcomes, answered(outcomes)[published], self._reject)
            messages = self._answers(chunk, outcomes)
        if outcomes.rejections:
            await self._dead_letters.publish(chunk.partition, dead_letters(chunk, outcomes, self._service))
            log_dead_letters(chunk, outcomes)
