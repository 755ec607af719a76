"""`batchsum submit`: send requests, and on demand wait for the answers."""

from collections import Counter
from collections.abc import AsyncIterable

from config.logging import printable
from config.settings import Settings
from consumer.commands import output
from consumer.commands.exchange import Fate, exchange
from consumer.kafka.caller import Request, submitting

SOME_FAILED = 8


async def submit(settings: Settings, requests: AsyncIterable[Request], *, total: int | None, as_json: bool) -> int:
    """Send `requests`, and return the exit code."""
    number = 0
    with output.progress("sent", total) as advance:
        async with submitting(settings) as submitter:
            async for source in submitter.submit(requests):
                number += 1
                advance()
                if as_json:
                    output.as_json({"request": number, "source": source})
    if not as_json:
        output.line(f"{number} requests are on {settings.request_topic}")
    return 0


async def submit_and_wait(
    settings: Settings, requests: AsyncIterable[Request], *, total: int | None, timeout_s: float, as_json: bool
) -> int:
    """Send `requests`, print the answers in the order of the requests, and return the exit code."""
    statuses: Counter[str] = Counter()
    with output.progress("answered", total) as advance:

        def settled(fate: Fate) -> None:
            statuses[fate.status] += 1
            advance()
            _print(fate, as_json=as_json)

        await exchange(settings, requests, timeout_s=timeout_s, sent=lambda: None, settled=settled)
    output.note(", ".join(f"{statuses[status]} {status}" for status in ("complete", "failed", "missing")))
    return SOME_FAILED if statuses["failed"] or statuses["missing"] else 0


def _print(fate: Fate, *, as_json: bool) -> None:
    if as_json:
        halves = {"answer": fate.answer, "dead_letter": fate.dead_letter}
        shown = {name: half and output.envelope(half) for name, half in halves.items()}
        output.as_json({"request": fate.number, "source": fate.source, "status": fate.status, **shown})
    elif fate.answer:
        output.record(fate.answer.value)
    elif fate.dead_letter:
        headers = fate.dead_letter.headers
        reason = printable(f"{headers['dlq.reason']}: {headers.get('dlq.message', '')}")
        output.note(f"request {fate.number} ({fate.source}) has no answer: {reason}")
    else:
        output.note(f"request {fate.number} ({fate.source}) is missing its answer")
