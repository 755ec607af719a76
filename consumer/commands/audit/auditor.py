"""Reads requests and outcomes, round by round, and has the ledger judge each round."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from config.settings import Settings
from consumer.commands import output
from consumer.commands.audit.expected import expectations
from consumer.commands.audit.findings import Findings
from consumer.commands.audit.rounds import Rounds, Whereabouts
from consumer.commands.audit.scope import Scope
from consumer.kafka.history import History, Span
from consumer.ledger.entry import Delivery, Entry, Expectation, Violation
from consumer.ledger.ledger import Ledger
from consumer.ledger.page import KINDS, Kind, Page
from consumer.pool import Pool

NOWHERE_KEPT = 1 << 63  # behind every offset there is

Computing = asyncio.Task[list[Expectation]]


class Auditor:
    """One audit. In memory are the ledger of one round, and `runs_max` runs of requests that are being computed."""

    def __init__(
        self,
        settings: Settings,
        scope: Scope,
        topics: History,
        pool: Pool,
        *,
        delivery: Delivery,
        at_once: int,
        listed_max: int,
    ) -> None:
        self._settings = settings
        self._scope = scope
        self._topics = topics
        self._pool = pool
        self._delivery = delivery
        self._rounds = Rounds(scope.requests, at_once)
        self._runs_max = 2 * (settings.workers or len(pool.pids))
        self._whereabouts = Whereabouts()
        self._overtaken: defaultdict[tuple[str, int], list[Span]] = defaultdict(list)
        # By request partition and kind, what the first round has found: from which request on outcomes are kept, and
        # in which partition they stand.
        self._kept_from: dict[int, dict[Kind, int]] = {}
        self._partitions: defaultdict[int, dict[Kind, int]] = defaultdict(dict)
        self.findings = Findings(listed_max)

    async def run(self) -> Findings:
        """Look at everything, and return what was found.

        Raises:
            Failure: Topics cannot be read, or workers not be started.
        """
        for number in range(self._rounds.count):
            await self._round(number)
        return self.findings

    async def _round(self, number: int) -> None:
        spans = self._rounds.spans(number)
        within = {span.partition: range(span.start, span.end) for span in spans}
        ledger = Ledger(self._settings.request_topic, self._delivery, within=within)
        self._overtaken.clear()
        for partition, page in ledger.pages.items():
            self._prepare(page, partition, number)
        for kind in reversed(KINDS):  # dead letters first: they say which requests are better not computed again
            await self._read_outcomes(ledger, kind, number)
        self._note_what_is_kept(ledger, number)
        await self._read_requests(ledger, spans, number)
        self.findings.take(ledger, first=number == 0)

    def _prepare(self, page: Page, partition: int, number: int) -> None:
        page.due = None if self._scope.due is None else self._scope.due.get(partition, 0)
        page.asked_to = self._scope.newest.get(partition)
        page.homes = {kind: partition % len(self._scope.outcomes[kind]) for kind in KINDS}
        page.partitions = self._partitions[partition]
        page.heard_highest = self._whereabouts.highest(number, partition) if number else {}

    async def _read_outcomes(self, ledger: Ledger, kind: Kind, number: int) -> None:
        """The first round looks at all there are, and each later one where the first has seen its own."""
        spans = self._scope.outcomes[kind]
        if number:
            spans = self._whereabouts.spans(number, kind, spans)
        enter = ledger.answer if kind == "answer" else ledger.dead_letter
        with self._progress(f"{kind}s", spans, number) as advance:
            async for entries in self._topics.read(spans, self._note_overtaken):
                for entry in entries:
                    at = enter(entry)
                    if at is not None and number == 0:
                        self._place(kind, entry, *at)
                advance(len(entries))

    def _place(self, kind: Kind, outcome: Entry, partition: int, offset: int) -> None:
        scope = self._scope
        if offset >= scope.newest.get(partition, 0):
            detail = f"at {outcome.topic}/{outcome.partition}/{outcome.offset}"
            self.findings.add(Violation("an outcome of no request", partition, offset, detail))
            return
        if offset < scope.kept.get(partition, 0):
            self.findings.outdated[kind] += 1
        if self._rounds.count > 1:
            self._whereabouts.note(self._rounds.number(partition, offset), kind, outcome, partition, offset)

    def _note_what_is_kept(self, ledger: Ledger, number: int) -> None:
        """Outcomes may be missing by retention if it has removed any where they stand: those before the first that is left."""
        for partition, page in ledger.pages.items():
            if number == 0:
                self._kept_from[partition] = {
                    kind: page.heard_first.get(kind, NOWHERE_KEPT)
                    for kind in KINDS
                    if any(self._is_cut(span, page, kind) for span in self._scope.outcomes[kind])
                }
            page.kept_from = dict(self._kept_from[partition])
            for kind in KINDS if number else ():
                if any(self._is_overtaken(span, page, kind) for span in self._scope.outcomes[kind]):
                    kept_from = page.heard_first.get(kind, NOWHERE_KEPT)
                    page.kept_from[kind] = max(kept_from, page.kept_from.get(kind, 0))

    def _is_cut(self, span: Span, page: Page, kind: Kind) -> bool:
        """Whether retention has removed outcomes just where *span* begins, or since, that may have been of *page*."""
        is_cut = 0 < span.kept_from >= span.start and span.partition in {page.partitions.get(kind), page.homes[kind]}
        return is_cut or self._is_overtaken(span, page, kind)

    def _is_overtaken(self, span: Span, page: Page, kind: Kind) -> bool:
        there = {page.partitions.get(kind), page.homes[kind]}
        return span.partition in there and bool(self._overtaken[span.topic, span.partition])

    async def _read_requests(self, ledger: Ledger, spans: Sequence[Span], number: int) -> None:
        """Requests are computed run by run, several at once, and entered in their order."""
        waiting: deque[tuple[list[Entry], Computing]] = deque()
        with self._progress("requests", spans, number) as advance:
            try:
                async for entries in self._topics.read(spans, self._note_overtaken):
                    if entries:
                        waiting.append((entries, asyncio.create_task(self._compute(ledger, entries))))
                    if len(waiting) > self._runs_max:
                        await self._enter(ledger, *waiting.popleft(), advance)
                while waiting:
                    await self._enter(ledger, *waiting.popleft(), advance)
            finally:
                for _, computing in waiting:
                    computing.cancel()
        for span in spans:
            for removed in self._overtaken[span.topic, span.partition]:
                ledger.pages[span.partition].asked_from = removed.end
                self.findings.removed_since += len(removed.within(end=span.end))

    async def _compute(self, ledger: Ledger, entries: list[Entry]) -> list[Expectation]:
        return await expectations(self._pool, ledger, entries, reply_to_failed=self._settings.reply_to_failed)

    async def _enter(
        self, ledger: Ledger, entries: list[Entry], computing: Computing, advance: Callable[[int], None]
    ) -> None:
        for entry, expectation in zip(entries, await computing, strict=True):
            ledger.request(entry, expectation)
        advance(len(entries))

    def _note_overtaken(self, removed: Span) -> None:
        self._overtaken[removed.topic, removed.partition].append(removed)

    def _progress(self, what: str, spans: Sequence[Span], number: int) -> AbstractContextManager[Callable[[int], None]]:
        of_rounds = f", {number + 1} of {self._rounds.count}" if self._rounds.count > 1 else ""
        return output.progress(f"{what}{of_rounds}", sum(map(len, spans)))
