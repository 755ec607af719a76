"""`batchsum dead-letters list`, `show` and `export`: look at what could not be processed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from config.logging import printable
from config.settings import Settings
from consumer import dead_letter
from consumer.commands import output
from consumer.commands.dead_letters.letter import Letter
from consumer.commands.dead_letters.line import dumped, to_line
from consumer.commands.dead_letters.selection import Selection
from consumer.kafka.history import history

UNKNOWN = datetime.min.replace(tzinfo=UTC)
SHOWN_ELSEWHERE = {dead_letter.REASON, dead_letter.DETAILS, *dead_letter.COORDINATES}


@dataclass(slots=True)
class Pile:
    """The letters with one reason."""

    letters: int
    newest: Letter


async def list_letters(settings: Settings, selection: Selection, *, as_json: bool) -> None:
    """Print for each reason how many letters there are, and the newest of them; the largest pile first."""
    piles: dict[str, Pile] = {}
    async with _selected(settings, selection) as letters:
        async for letter in letters:
            pile = piles.setdefault(letter.reason, Pile(0, letter))
            pile.letters += 1
            if (letter.failed_at or UNKNOWN) >= (pile.newest.failed_at or UNKNOWN):
                pile.newest = letter
    rows = [
        (reason, pile.letters, pile.newest.reasons.get(dead_letter.FAILED_AT, ""), pile.newest.place)
        for reason, pile in sorted(piles.items(), key=lambda each: -each[1].letters)
    ]
    columns = ("reason", "letters", "newest", "place")
    if as_json:
        for row in rows:
            output.as_json(dict(zip(columns, row, strict=True)))
    else:
        output.table(f"{settings.dead_letter_topic}: {sum(row[1] for row in rows)} dead letters", columns, rows)


async def show(settings: Settings, selection: Selection, *, letters_max: int, bytes_max: int, as_json: bool) -> None:
    """Print letters for people: never more than *letters_max*, nor more than *bytes_max* of a value."""
    number = 0
    async with _selected(settings, selection) as letters:
        async for letter in letters:
            number += 1
            if number > letters_max:
                continue
            if as_json:
                output.as_json(to_line(letter))
            else:
                output.line("\n".join(_described(letter, bytes_max)))
    if number > letters_max:
        output.note(f"{number - letters_max} more are not shown: narrow it down, or raise --limit")


async def export(settings: Settings, selection: Selection) -> None:
    """Print letters as JSON lines that have every byte of them."""
    number = 0
    async with _selected(settings, selection) as letters:
        async for letter in letters:
            number += 1
            output.line(dumped(letter))
    output.note(f"{number} dead letters exported")


@asynccontextmanager
async def _selected(settings: Settings, selection: Selection) -> AsyncIterator[AsyncIterator[Letter]]:
    async with history(settings) as topics:
        spans = selection.spans(await topics.spans(settings.dead_letter_topic))
        with output.progress("read", sum(map(len, spans))) as advance:

            async def letters() -> AsyncIterator[Letter]:
                async for entries in topics.read(spans):
                    for entry in entries:
                        advance()
                        if selection.takes(letter := Letter(entry)):
                            yield letter

            yield letters()


def _described(letter: Letter, bytes_max: int) -> list[str]:
    """*letter* in lines that neither forge one another nor move a terminal's cursor."""
    entry = letter.entry
    at = datetime.fromtimestamp(max(0, entry.timestamp) / 1000, UTC).isoformat(timespec="milliseconds")
    facts = [
        ("request", letter.request),
        ("timestamp", at),
        ("key", _shown(entry.key, bytes_max)),
        *((f"header {name}", _shown(value, bytes_max)) for name, value in letter.own_headers),
        *((name, text[:bytes_max]) for name, text in letter.reasons.items() if name not in SHOWN_ELSEWHERE),
        *(("fault", fault[:bytes_max]) for fault in _faults(letter)),
        ("value", _shown(entry.value, bytes_max)),
    ]
    return [
        f"{letter.place}  {printable(letter.reason)}",
        *(f"  {printable(name)}: {printable(text)}" for name, text in facts),
    ]


def _faults(letter: Letter) -> list[str]:
    """The faults that the letter lists, each with the path to it."""
    try:
        found = json.loads(letter.reasons.get(dead_letter.DETAILS, "[]"))
        return [f"{detail['path'] or '(document)'}: {detail['message']}" for detail in found]
    except (ValueError, TypeError, KeyError):
        return []


def _shown(value: bytes | None, bytes_max: int) -> str:
    if value is None:
        return "(null)"
    text = value[:bytes_max].decode("utf-8", "backslashreplace")
    return text if len(value) <= bytes_max else f"{text} … ({len(value)} bytes)"
