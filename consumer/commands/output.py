"""What the commands print: data to standard output, everything else to standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from config.logging import printable
from consumer.kafka.caller import Outcome


def line(text: str) -> None:
    """Print a line of data."""
    typer.echo(text)


def note(text: str) -> None:
    """Tell the person who sits there."""
    typer.echo(text, err=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: drawn on a terminal, otherwise lines with tabs between the cells."""
    cells = [[printable(cell) for cell in row] for row in rows]
    console = Console()
    if console.is_terminal:
        drawn = Table(*columns, title=title, title_justify="left", box=SIMPLE)
        for row in cells:
            drawn.add_row(*map(Text, row))  # plain text: no square bracket in it is markup
        console.print(drawn)
    else:
        for row in (list(columns), *cells):
            line("\t".join(row))


def record(value: bytes | None) -> None:
    """Print a record's value in one line: as it is to a file or pipe, and so that it harms no terminal."""
    if sys.stdout.isatty():
        line(printable((value or b"").decode("utf-8", "replace")))
    else:
        typer.echo((value or b"").replace(b"\n", b" "))


def envelope(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as JSON has it: where it stands, whose it is, and its value as text."""
    return {
        "source": outcome.source,
        "partition": outcome.partition,
        "offset": outcome.offset,
        "key": _text(outcome.key),
        "value": _text(outcome.value),
        "headers": outcome.headers,
    }


def as_json(value: object) -> None:
    """Print `value` as one line of JSON."""
    line(json.dumps(value))


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show a progress bar on standard error, if that is a terminal; the value counts one, or as many as it is given."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda count=1: bar.advance(task, count)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")
