"""`batchsum dead-letters replay`: have requests that failed processed again."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from config.settings import Settings
from consumer.commands import output
from consumer.commands.dead_letters.letter import Letter, Unrepeatable
from consumer.commands.dead_letters.line import letters_in
from consumer.commands.dead_letters.selection import Selection
from consumer.failures import Failure
from consumer.kafka.history import history, standing
from consumer.kafka.replayer import Replayer, TooLarge, replaying
from consumer.wire.packing import Message

TRANSACTION_LETTERS_MAX = 500
REFUSED_SHOWN_MAX = 20
SOME_REFUSED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be replayed, from the topic or a file, and how fast.

    `again`: from the start, wherever an earlier replay of the same selection has come to. A letter that was replayed
    `replays_max` times is refused. `now`: with the time of the replay as its timestamp.
    """

    selection: Selection
    file: Path | None
    again: bool
    letters_per_s: int
    replays_max: int
    now: bool

    def name(self, settings: Settings) -> str:
        """The name of the replay, and of the group that has its position: the same for the same letters."""
        letters = (settings.dead_letter_topic, settings.request_topic, str(self.file), self.selection.conditions())
        return f"{settings.group_id}.replay.{blake2b(repr(letters).encode(), digest_size=5).hexdigest()}"


@dataclass(slots=True)
class Tally:
    """What has come of a replay: letters by reason, and those that are refused, by why."""

    read: int = 0
    passed_over: int = 0  # offsets that an earlier run has done
    replayed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    refused_first: list[str] = field(default_factory=list)

    def refuse(self, letter: Letter, why: str) -> None:
        """Note a letter that is not replayed."""
        self.refused[why] += 1
        if len(self.refused_first) < REFUSED_SHOWN_MAX:
            self.refused_first.append(f"{letter.place}: {why}")


async def replay(settings: Settings, plan: Plan, *, yes: bool, as_json: bool) -> int:
    """Replay, or with no *yes* only tell what would be replayed; report, and return the exit code."""
    name, tally = plan.name(settings), Tally()
    async with AsyncExitStack() as stack:
        # The producer comes first: to start it ends what an earlier run has left open, so the position is the truth.
        replayer = await stack.enter_async_context(replaying(settings, name)) if yes else None
        running = Replay(settings, plan, replayer, tally)
        try:
            await (running.from_topic(name) if plan.file is None else running.from_file(plan.file))
        except (Failure, asyncio.CancelledError):
            goes_on = "; the same command goes on from there" if plan.file is None else ""
            output.note(f"ended early, after {tally.replayed.total()} were replayed{goes_on}")
            raise
    _report(settings, name, tally, plan, yes=yes, as_json=as_json)
    return SOME_REFUSED if tally.refused else 0


class Replay:
    """One run of it; without a *replayer* a dry one."""

    def __init__(self, settings: Settings, plan: Plan, replayer: Replayer | None, tally: Tally) -> None:
        self._settings = settings
        self._plan = plan
        self._replayer = replayer
        self._tally = tally
        self._together = min(TRANSACTION_LETTERS_MAX, plan.letters_per_s)
        self._started = time.monotonic()

    async def from_topic(self, name: str) -> None:
        """Replay what the topic has, from where the group *name* stands."""
        async with history(self._settings) as topics:
            spans = self._plan.selection.spans(await topics.spans(self._settings.dead_letter_topic))
            async with standing(self._settings, name) as group:
                position = {} if self._plan.again else await group.committed(spans)
            rest = [span.within(start=position.get(span.partition)) for span in spans]
            self._tally.passed_over = sum(map(len, spans)) - sum(map(len, rest))
            with output.progress("read", sum(map(len, rest))) as advance:
                async for entries in topics.read(rest):
                    await self._run([Letter(entry) for entry in entries])
                    advance(len(entries))

    async def from_file(self, file: Path) -> None:
        """Replay what was exported to *file*; all of its lines are looked at before the first one is replayed."""
        total = sum(1 for _ in letters_in(file))
        with output.progress("read", total) as advance:
            lines = letters_in(file)
            while letters := [*islice(lines, TRANSACTION_LETTERS_MAX)]:
                await self._run(letters)
                advance(len(letters))

    async def _run(self, letters: Sequence[Letter]) -> None:
        """Replay those of *letters*, of one partition and in order, that are meant and may be replayed."""
        self._tally.read += len(letters)
        chosen: list[tuple[Letter, tuple[int, Message]]] = []
        for letter in filter(self._plan.selection.takes, letters):
            try:
                request = letter.repeated(
                    request_topic=self._settings.request_topic,
                    replays_max=self._plan.replays_max,
                    now=self._plan.now,
                )
            except Unrepeatable as why:
                self._tally.refuse(letter, str(why))
            else:
                chosen.append((letter, request))
        for first in range(0, len(chosen), self._together):
            await self._write(chosen[first : first + self._together])

    async def _write(self, chosen: Sequence[tuple[Letter, tuple[int, Message]]]) -> None:
        if self._replayer is not None:
            last = chosen[-1][0].entry
            position = {(last.topic, last.partition): last.offset + 1} if self._plan.file is None else {}
            try:
                await self._replayer.write([request for _, request in chosen], position)
            except TooLarge:
                if len(chosen) == 1:
                    self._tally.refuse(chosen[0][0], "larger than the request topic allows")
                    return
                for alone in chosen:
                    await self._write([alone])
                return
            await self._pace(self._tally.replayed.total() + len(chosen))
        self._tally.replayed.update(letter.reason for letter, _ in chosen)

    async def _pace(self, replayed: int) -> None:
        """Wait until that many may have been replayed."""
        await asyncio.sleep(max(0.0, self._started + replayed / self._plan.letters_per_s - time.monotonic()))


def _report(settings: Settings, name: str, tally: Tally, plan: Plan, *, yes: bool, as_json: bool) -> None:
    if as_json:
        output.as_json(
            {
                "dry_run": not yes,
                "read": tally.read,
                "replayed": dict(tally.replayed),
                "refused": dict(tally.refused),
                "refused_first": tally.refused_first,
                "passed_over": tally.passed_over,
                "group": None if plan.file else name,
            }
        )
        return
    done = "replayed" if yes else "to be replayed"
    reasons = ", ".join(f"{count} {reason}" for reason, count in tally.replayed.most_common())
    output.line(
        f"{tally.replayed.total()} of {tally.read} dead letters {done} to {settings.request_topic}{reasons and f': {reasons}'}"
    )
    if tally.refused:
        output.line(f"{tally.refused.total()} refused:")
        for refused in tally.refused_first:
            output.line(f"  {refused}")
    if tally.passed_over:
        output.note(f"{tally.passed_over} offsets were done by an earlier run (group {name}); --again begins anew")
    if not yes:
        output.note("nothing was written: add --yes to do it")
