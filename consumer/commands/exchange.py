"""Requests sent and what became of each of them, in the order in which they were sent."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass

from config.settings import Settings
from consumer.kafka.caller import Outcome, Request, reading, submitting

# A batch that fails has a dead letter and mostly an answer too. They come by different ways, so whichever is first
# waits this long for the other.
OTHER_HALF_WAIT_S = 1.0


@dataclass(slots=True)
class Fate:
    """What became of one request. With neither answer nor dead letter it is missing."""

    number: int
    source: str
    answer: Outcome | None = None
    dead_letter: Outcome | None = None
    status: str = "missing"
    heard_at: float = 0.0

    def take(self, outcome: Outcome, now: float) -> None:
        """Note an outcome; a repetition, which at-least-once delivery allows, changes nothing."""
        self.heard_at = self.heard_at or now
        if outcome.reason is not None:
            self.dead_letter = self.dead_letter or outcome
            self.status = "failed"
        elif self.answer is None:
            self.answer = outcome
            self.status = "complete" if _is_complete(outcome.value) else "failed"

    def is_settled(self, now: float) -> bool:
        """Whether nothing more is to be waited for."""
        if self.status == "failed" and not (self.answer and self.dead_letter):
            return now > self.heard_at + OTHER_HALF_WAIT_S
        return self.status != "missing"


class Exchange:
    """Brings requests and outcomes together. Outcomes may come before it is known which request was theirs."""

    def __init__(self, settled: Callable[[Fate], None]) -> None:
        """Call `settled` with each request's fate, in the order of the requests."""
        self._settled = settled
        self._waiting: deque[Fate] = deque()
        self._by_source: dict[str, Fate] = {}
        self._early: dict[str, list[Outcome]] = {}
        self._sent = 0
        self._all_sent = False
        self.heard_at = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether all is sent and settled."""
        return self._all_sent and not self._waiting

    def sent(self, source: str) -> None:
        """Note the next request, of which the brokers say that it is `source`."""
        self._sent += 1
        fate = Fate(self._sent, source)
        self._waiting.append(fate)
        self._by_source[source] = fate
        self.take(self._early.pop(source, []))

    def all_sent(self) -> None:
        """Note that no more requests follow, so that outcomes of unknown ones are somebody else's."""
        self._all_sent = True
        self._early.clear()
        self.heard_at = time.monotonic()

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Note outcomes, and report what is settled by now."""
        now = time.monotonic()
        for outcome in outcomes:
            if fate := self._by_source.get(outcome.source):
                fate.take(outcome, now)
                self.heard_at = now
            elif not self._all_sent:
                self._early.setdefault(outcome.source, []).append(outcome)
        while self._waiting and self._waiting[0].is_settled(now):
            self._report(self._waiting.popleft())

    def give_up(self) -> None:
        """Report the rest as it is."""
        while self._waiting:
            self._report(self._waiting.popleft())

    def _report(self, fate: Fate) -> None:
        del self._by_source[fate.source]
        self._settled(fate)


async def exchange(
    settings: Settings,
    requests: AsyncIterable[Request],
    *,
    timeout_s: float,
    sent: Callable[[], None],
    settled: Callable[[Fate], None],
) -> None:
    """Send `requests` and wait for what becomes of them; `settled` is told, in their order.

    Gives up when all are sent and nothing has come for `timeout_s`.

    Raises:
        Failure: brokers or topics cannot be used, or a request was refused.
    """
    correspondence = Exchange(settled)
    async with (
        reading(settings, settings.result_topic, settings.dead_letter_topic) as outcomes,
        submitting(settings) as submitter,
    ):

        async def send() -> None:
            async for source in submitter.submit(requests):
                correspondence.sent(source)
                sent()
            correspondence.all_sent()

        sending = asyncio.create_task(send())
        try:
            while not correspondence.finished:
                correspondence.take(await outcomes.read())
                if sending.done():
                    sending.result()
                    if time.monotonic() > correspondence.heard_at + timeout_s:
                        break
        finally:
            sending.cancel()
            await asyncio.wait([sending])
    correspondence.give_up()


def _is_complete(answer: bytes | None) -> bool:
    try:
        response = json.loads(answer or b"", parse_int=str)  # sums may have more digits than Python likes to convert
    except ValueError:
        return False
    return isinstance(response, dict) and response.get("status") == "complete"
