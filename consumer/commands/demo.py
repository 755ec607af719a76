"""`batchsum demo`: a broker, an instance and a caller in one process, and every answer checked."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from config.settings import Settings
from consumer.commands import output
from consumer.commands.exchange import Fate, exchange
from consumer.commands.run import beside_an_embedded_broker, run_service
from consumer.commands.samples import Sample, samples
from consumer.embedded import LIMITS, embedded_broker
from consumer.kafka.caller import Outcome, Request

SEED = 2026
SHOWN_ANSWERS = 5
SHOWN_CHARACTERS_MAX = 40
SHOWN_FAULTS_MAX = 10
ANSWER_TIMEOUT_S = 60
WRONG = 8


async def demo(settings: Settings, *, batches: int) -> int:
    """Submit samples to an instance, show what comes back, and return 0 if all of it is right."""
    submitted = samples(batches, SEED)
    output.note(LIMITS)
    with embedded_broker() as address:
        fates = await _correspond(beside_an_embedded_broker(settings, address), submitted)
    return _show(submitted, fates)


async def _correspond(settings: Settings, submitted: Sequence[Sample]) -> list[Fate]:
    """Run an instance for as long as the exchange lasts; return what became of each sample."""
    fates: list[Fate] = []
    stop = asyncio.Event()
    service = asyncio.create_task(run_service(settings, stop))
    with output.progress("answered", len(submitted)) as advance:

        def settled(fate: Fate) -> None:
            fates.append(fate)
            advance()

        correspondence = asyncio.create_task(
            exchange(settings, _requests(submitted), timeout_s=ANSWER_TIMEOUT_S, sent=lambda: None, settled=settled)
        )
        try:
            await asyncio.wait([service, correspondence], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            if not correspondence.done():
                correspondence.cancel()
            await asyncio.wait([service, correspondence])
    service.result()  # first, as the exchange is cut short where the service is what failed
    correspondence.result()
    return fates


async def _requests(submitted: Sequence[Sample]) -> AsyncIterator[Request]:
    for sample in submitted:
        yield sample.request


def _show(submitted: Sequence[Sample], fates: Sequence[Fate]) -> int:
    pairs = list(zip(submitted, fates, strict=True))
    answered = [(sample, fate) for sample, fate in pairs if fate.status == "complete"]
    output.table(
        "Some of the answers",
        ("batchid", "payload", "response"),
        [_row(sample.request.value, fate.answer) for sample, fate in answered[:SHOWN_ANSWERS] if fate.answer],
    )
    output.table(
        "All of the dead letters",
        ("reason", "message", "request", "answered too"),
        [
            (
                fate.dead_letter.reason,
                fate.dead_letter.headers.get("dlq.message"),
                _short(fate.dead_letter.value),
                "yes" if fate.answer else "no",
            )
            for _, fate in pairs
            if fate.dead_letter
        ],
    )
    faults = [fault for sample, fate in pairs if (fault := sample.fault(fate))]
    for fault in faults[:SHOWN_FAULTS_MAX]:
        output.note(fault)
    elapsed_s = _elapsed_s([fate for _, fate in answered])
    integers = sum(sample.integers for sample, _ in answered)
    output.line(
        f"{len(answered)} batches of {integers} integers were summed in {elapsed_s:.2f} s, from the start of the first to "
        f"the end of the last: {len(answered) / elapsed_s:.0f} batches/s, {integers / elapsed_s:.0f} integers/s."
    )
    verdict = f"{len(faults)} are wrong or missing." if faults else "every sum and every dead letter is right."
    output.line(f"{len(pairs)} requests checked: {verdict}")
    return WRONG if faults else 0


def _elapsed_s(fates: Sequence[Fate]) -> float:
    """Return how long the workers took, by the timestamps of the answers; not nothing, so that it can be divided by."""
    answers = [json.loads(fate.answer.value or b"") for fate in fates if fate.answer]
    stamps = [datetime.fromisoformat(answer[name]) for answer in answers for name in ("started_at", "completed_at")]
    return max((max(stamps) - min(stamps)).total_seconds(), 1e-6) if stamps else 1e-6


def _row(request: bytes | None, answer: Outcome) -> tuple[str, str, str]:
    asked, answered = json.loads(request or b""), json.loads(answer.value or b"")
    return answered["batchid"], _short(str(asked["payload"]).encode()), str(answered["response"])


def _short(value: bytes | None) -> str:
    text = "(null)" if value is None else value.decode("utf-8", "replace")
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
