"""The picture: batches a second of every system, one panel for each profile, as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

OURS = "batchsum"
LEFT_OUT = {"echo"}

WIDTH, PANEL_WIDTH, GAP = 1_000, 480, 40
TITLES_WIDTH, NUMBERS_WIDTH = 206, 66
BAR_HEIGHT, BAR_GAP = 16, 8
HEAD, PANEL_HEAD, FOOT = 64, 34, 22

STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 19px; font-weight: 600 } .note { fill: #59636e; font-size: 12px; font-weight: 400 } .panel { font-weight: 600 }
.label { text-anchor: end; font-size: 12px } .ours { font-weight: 700 } .bar { fill: #b6bec9 } .bar.ours { fill: #0a7d55 }
.spread { stroke: #1f2328; stroke-width: 1.2 }
"""

Row = Mapping[str, Any]


def plot(document: Row) -> str:
    """The whole picture; a reader needs no words around it."""
    panels = [(name, rows) for name in _profiles(document) if (rows := _rows(document, name))]
    height_of = [PANEL_HEAD + len(rows) * (BAR_HEIGHT + BAR_GAP) + FOOT for _, rows in panels]
    body, top = [], HEAD
    for first in range(0, len(panels), 2):
        for column, (name, rows) in enumerate(panels[first : first + 2]):
            x = column * (PANEL_WIDTH + GAP)
            body.append(f'<g transform="translate({x},{top})">{"".join(_panel(name, rows))}</g>')
        top += max(height_of[first : first + 2])
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-20 0 {WIDTH + 40} {top}" role="img">',
            "<title>Batches per second, by system and profile</title>",
            f"<style>{STYLE}</style>",
            f'<rect x="-20" width="{WIDTH + 40}" height="{top}" rx="8" fill="#ffffff"/>',
            '<text class="title" y="30">Batches per second, validated, summed and published (longer is better)</text>',
            f'<text class="note" y="50">{escape(_note(document))}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _note(document: Row) -> str:
    machine = document["machine"]
    return (
        f"Median of {document['rounds']} rounds, whiskers from lowest to highest. {machine['processor']}. "
        f"{machine['broker']}, {document['partitions']} partitions."
    )


def _profiles(document: Row) -> Sequence[str]:
    return list(dict.fromkeys(row["profile"] for row in document["drains"]))


def _rows(document: Row, profile: str) -> list[Row]:
    """The systems of one panel, the quickest first."""
    rows = [
        row
        for row in document["drains"]
        if row["profile"] == profile and row["partitions"] == document["partitions"] and row["system"] not in LEFT_OUT
    ]
    return sorted(rows, key=lambda row: -row["batches_per_s"]["median"])


def _panel(name: str, rows: Sequence[Row]) -> Iterator[str]:
    shape = f"{rows[0]['integers_per_s']['median'] / rows[0]['batches_per_s']['median']:,.0f} integers a batch"
    most = max(row["batches_per_s"]["high"] for row in rows)
    scale = (PANEL_WIDTH - TITLES_WIDTH - NUMBERS_WIDTH) / most
    yield f'<text class="panel" y="14">{escape(name)} <tspan class="note">{shape}</tspan></text>'
    for place, row in enumerate(rows):
        y = PANEL_HEAD + place * (BAR_HEIGHT + BAR_GAP)
        rate = row["batches_per_s"]
        ours = " ours" if row["system"] == OURS else ""
        low, high = (TITLES_WIDTH + rate[end] * scale for end in ("low", "high"))
        middle = y + BAR_HEIGHT / 2
        yield f'<text class="label{ours}" x="{TITLES_WIDTH - 8}" y="{y + 12}">{escape(_short(row["title"]))}</text>'
        yield (
            f'<rect class="bar{ours}" x="{TITLES_WIDTH}" y="{y}" height="{BAR_HEIGHT}" rx="2" '
            f'width="{max(rate["median"] * scale, 1):.1f}"/>'
        )
        yield f'<path class="spread" d="M{low:.1f} {middle}H{high:.1f}"/>'
        yield f'<text x="{high + 6:.1f}" y="{y + 12}" class="note{ours}">{rate["median"]:,.0f}</text>'


def _short(title: str) -> str:
    return title.replace("aiokafka, ", "aiokafka: ").replace("inline, batched sends", "inline")
