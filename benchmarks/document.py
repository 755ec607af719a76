"""A run's document: all that it has measured, kept after each step, and the only thing that reports are made of."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Document = Mapping[str, Any]


class Kept:
    """The document of a run that goes on, and its file: what is measured is written at once, and whole."""

    def __init__(self, file: Path, head: Row) -> None:
        self._file = file
        self._started = time.monotonic()
        self._document: Row = {**head, "finished": False, "minutes": 0.0, "failures": []}

    def add(self, measured: Row) -> None:
        """Take in the figures of one step: rows follow those that are there already, anything else is new."""
        for name, figures in measured.items():
            if isinstance(figures, list):
                self._document.setdefault(name, []).extend(figures)
            else:
                self._document[name] = figures
        self._write()

    def finish(self) -> None:
        """All steps of the plan have had their turn."""
        self._document["finished"] = True
        self._write()

    def rows(self, name: str) -> Sequence[Row]:
        """The rows of one measure so far."""
        rows: Sequence[Row] = self._document.get(name, [])
        return rows

    def _write(self) -> None:
        self._document["minutes"] = round((time.monotonic() - self._started) / 60, 1)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(self._document, indent=1) + "\n")
        beside.replace(self._file)  # at once, so that whoever reads has one or the other


def read(file: Path) -> Document | None:
    """The document of *file*; None where nothing has been measured yet."""
    if not file.exists():
        return None
    document: Document = json.loads(file.read_text())
    return document


def median(document: Document, kind: str, profile: str, system: str, figure: str) -> float | None:
    """The median of one figure of one system; None where it was not measured."""
    for row in document.get(kind, ()):
        if row["system"] == system and row["profile"] == profile and figure in row:
            return float(row[figure]["median"])
    return None
