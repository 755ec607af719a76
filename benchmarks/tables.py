"""How tables and the figures in them are written."""

from collections.abc import Sequence

from benchmarks.document import Row


def table(rows: Sequence[Sequence[str]]) -> str:
    """*rows* as Markdown; the first one is the head, and figures stand to the right."""
    head, *body = rows
    right = [all(_is_figure(row[place]) for row in body) for place in range(len(head))]
    rule = ["--:" if figures else "---" for figures in right]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))


def _is_figure(cell: str) -> bool:
    return not cell or cell.lstrip("*")[0].isdigit()


def columns(row: Row, *names: str) -> list[str]:
    """The medians of some figures of a system; nothing for those that it does not have."""
    return [number(row[name]["median"]) if name in row else "" for name in names]


def spread(figure: Row) -> str:
    """Lowest and highest."""
    return f"{number(figure['low'])} to {number(figure['high'])}"


def number(value: float) -> str:
    """Three digits that matter, and thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
