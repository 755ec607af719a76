"""Options that say from where to where: times and offsets."""

import re
from typing import Annotated

import typer

from consumer.commands.moment import Moment, parse

HOW = "a time (2026-01-31T09:30:00Z), or how long ago (90s, 15m, 2h, 7d)"


def moment(text: str) -> Moment:
    """The moment that an option names."""
    try:
        return parse(text)
    except ValueError:
        raise typer.BadParameter(f"write {HOW}") from None


def offsets(text: str | None) -> tuple[int | None, int | None]:
    """The first offset, and the one behind the last, of `FROM:TO`, where either may be missing, or of one offset alone."""
    if text is None:
        return None, None
    if re.fullmatch(r"\d{1,18}", text):
        return int(text), int(text) + 1
    if text == ":" or not (found := re.fullmatch(r"(\d{0,18}):(\d{0,18})", text)):
        raise typer.BadParameter("write FROM:TO, FROM:, :TO, or one offset", param_hint="--offsets")
    first, end = (int(number) if number else None for number in found.groups())
    if first is not None and end is not None and end <= first:
        raise typer.BadParameter("TO must be behind FROM", param_hint="--offsets")
    return first, end


Since = Annotated[
    Moment | None,
    typer.Option("--since", parser=moment, metavar="TIME", help=f"Not before {HOW}.", show_default=False),
]
Until = Annotated[
    Moment | None,
    typer.Option("--until", parser=moment, metavar="TIME", help="Before that time.", show_default=False),
]
Partitions = Annotated[
    list[int] | None,
    typer.Option("--partition", min=0, help="Only of this partition; repeat as needed.", show_default=False),
]
Offsets = Annotated[
    str | None,
    typer.Option(
        "--offsets",
        metavar="FROM:TO",
        help="From an offset to below another; one alone: that record.",
        show_default=False,
    ),
]
