"""The picture: batches a second of every system on a logarithmic scale, one panel for each profile, as SVG."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.document import Document, Row
from benchmarks.profiles import PROFILES

OURS = "batchsum"
LEFT_OUT = {"echo"}

PANEL_WIDTH, GAP, MARGIN = 480, 40, 20
TITLES_WIDTH, NUMBERS_WIDTH = 206, 66
BAR_HEIGHT, BAR_GAP = 16, 8
HEAD, PANEL_HEAD, FOOT = 68, 30, 48
SCALE_WIDTH = PANEL_WIDTH - TITLES_WIDTH - NUMBERS_WIDTH
WIDTH = 2 * (PANEL_WIDTH + MARGIN) + GAP

# Where a page shows a picture, the picture knows the reader's scheme but not the page's; its own ground suits either.
STYLE = """
svg { --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d8dee4; --bar: #b6bec9; --ours: #0a7d55 }
@media (prefers-color-scheme: dark) {
svg { --ground: #161b22; --ink: #f0f6fc; --faint: #9198a1; --line: #343b44; --bar: #57606a; --ours: #2ea574 } }
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink) }
.ground { fill: var(--ground); stroke: var(--line) } .grid { stroke: var(--line) }
.title { font-size: 19px; font-weight: 600 } .panel { font-size: 15px; font-weight: 600 }
.note { fill: var(--faint); font-size: 12px; font-weight: 400; paint-order: stroke; stroke: var(--ground); stroke-width: 4 }
.tick { fill: var(--faint); font-size: 11px; text-anchor: middle }
.label { text-anchor: end; font-size: 12px } .ours { font-weight: 700; fill: var(--ink) }
.bar { fill: var(--bar) } .bar.ours { fill: var(--ours) } .spread { stroke: var(--ink); stroke-width: 1.2 }
"""


def plot(document: Document) -> str:
    """The whole picture; a reader needs no words around it."""
    panels = [(name, rows) for name in PROFILES if (rows := _rows(document, name))]
    body, top = [], HEAD
    for first in range(0, len(panels), 2):
        side_by_side = panels[first : first + 2]
        for column, (name, rows) in enumerate(side_by_side):
            x = column * (PANEL_WIDTH + GAP)
            body.append(f'<g transform="translate({x},{top})">{"".join(_panel(name, rows))}</g>')
        top += max(_height(rows) for _, rows in side_by_side)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-MARGIN} 0 {WIDTH} {top}" role="img">',
            "<title>Batches per second, by system and profile</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" x="{-MARGIN + 1}" y="1" width="{WIDTH - 2}" height="{top - 2}" rx="8"/>',
            '<text class="title" y="32">Batches per second: validated, summed, published, committed</text>',
            f'<text class="note" y="52">{escape(_note(document))}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _note(document: Document) -> str:
    machine = document["machine"]
    return f"Logarithmic scale: each line is ten times the one before. {machine['processor']}; {machine['broker']}."


def _rows(document: Document, profile: str) -> list[Row]:
    """The systems of one panel, the quickest first."""
    drains = document.get("drains", ())
    rows = [row for row in drains if row["profile"] == profile and row["system"] not in LEFT_OUT]
    return sorted(rows, key=lambda row: -row["batches_per_s"]["median"])


def _height(rows: Sequence[Row]) -> int:
    return PANEL_HEAD + len(rows) * (BAR_HEIGHT + BAR_GAP) + FOOT


def _panel(name: str, rows: Sequence[Row]) -> Iterator[str]:
    lowest = math.floor(math.log10(min(row["batches_per_s"]["low"] for row in rows)) - 0.1)
    highest = math.log10(max(row["batches_per_s"]["high"] for row in rows))
    decade = SCALE_WIDTH / (highest - lowest)

    def place(rate: float) -> float:
        return TITLES_WIDTH + (math.log10(rate) - lowest) * decade

    yield f'<text class="panel" y="14">{escape(name)} <tspan class="note">{PROFILES[name].says}</tspan></text>'
    bottom = PANEL_HEAD + len(rows) * (BAR_HEIGHT + BAR_GAP)
    for power in range(lowest, math.floor(highest) + 1):
        x = place(10.0**power)
        yield f'<path class="grid" d="M{x:.1f} {PANEL_HEAD - 6}V{bottom}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{bottom + 14}">{10**power:,}</text>'
    for number, row in enumerate(rows):
        rate = row["batches_per_s"]
        low, middle, high = (place(rate[figure]) for figure in ("low", "median", "high"))
        yield from _bar(row, PANEL_HEAD + number * (BAR_HEIGHT + BAR_GAP), low, middle, high)


def _bar(row: Row, y: int, low: float, middle: float, high: float) -> Iterator[str]:
    ours = " ours" if row["system"] == OURS else ""
    yield f'<text class="label{ours}" x="{TITLES_WIDTH - 8}" y="{y + 12}">{escape(_short(row["title"]))}</text>'
    yield (
        f'<rect class="bar{ours}" x="{TITLES_WIDTH}" y="{y}" height="{BAR_HEIGHT}" rx="2" '
        f'width="{middle - TITLES_WIDTH:.1f}"/>'
    )
    yield f'<path class="spread" d="M{low:.1f} {y + BAR_HEIGHT / 2}H{high:.1f}"/>'
    yield f'<text x="{high + 6:.1f}" y="{y + 12}" class="note{ours}">{row["batches_per_s"]["median"]:,.0f}</text>'


def _short(title: str) -> str:
    return title.replace("aiokafka, ", "aiokafka: ").replace("inline, batched sends", "inline")
