"""At least once: answers first, then dead letters, and then the offset, which others commit."""

from collections.abc import Awaitable, Callable, Sequence

from consumer.chunk import Encoded, Finished
from consumer.kafka.messages import dead_letters, log_dead_letters
from consumer.kafka.publisher import Publisher
from consumer.wire.packing import Packing, encode

# Makes what stands in for an answer that is too large.
Instead = Callable[[Finished, Encoded], Awaitable[list[Encoded]]]


class Sink:
    """Publishes the outcomes of chunks; returns when each is durable.

    Answers go to the result partition of the request partition's number, in request order. `instead` is asked for what is
    to stand in the place of an answer that the result topic refuses as too large.
    """

    def __init__(
        self, *, results: Publisher, dead_letters: Publisher, instead: Instead, packing: Packing, service: str
    ) -> None:
        self._results = results
        self._dead_letters = dead_letters
        self._instead = instead
        self._packing = packing
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
        for finished in run:
            await self._publish(finished)

    async def _publish(self, finished: Finished) -> None:
        partition, answers = finished.chunk.partition, finished.processed.answers
        while left := await self._results.publish(partition, answers):
            answers = [*await self._instead(finished, left[0]), *left[1:]]
        if finished.processed.rejections:
            letters = encode(dead_letters(finished, self._service), self._packing)
            await self._dead_letters.publish(partition, letters)
            log_dead_letters(finished)
