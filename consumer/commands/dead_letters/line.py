"""A dead letter as a line of JSON, from which every byte of it can be had again.

Text stands as text; bytes that are no UTF-8 stand as `{"base64": "…"}`, and null is null.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from consumer.commands.dead_letters.letter import Letter
from consumer.failures import Failure
from consumer.ledger.entry import Entry


class BadLine(Failure):
    """A line is no dead letter."""

    exit_code: ClassVar[int] = 2


class Binary(BaseModel):
    """Bytes that are no text."""

    model_config = ConfigDict(extra="forbid")

    base64: str

    @field_validator("base64")
    @classmethod
    def _must_decode(cls, text: str) -> str:
        b64decode(text, validate=True)
        return text


Value = str | Binary | None
Offset = Annotated[int, Field(ge=0)]


class Line(BaseModel):
    """What a line has to have. What it has more, is for people and ignored."""

    model_config = ConfigDict(strict=True)

    topic: str
    partition: Offset
    offset: Offset
    timestamp: Annotated[int, Field(ge=-1)]  # -1: the record has none
    key: Value
    value: Value
    headers: list[tuple[str, Value]]


def to_line(letter: Letter) -> dict[str, object]:
    """*letter*, whole, as JSON has it."""
    entry = letter.entry
    return {
        "topic": entry.topic,
        "partition": entry.partition,
        "offset": entry.offset,
        "reason": letter.reason,
        "request": letter.request,
        "timestamp": entry.timestamp,
        "key": _value(entry.key),
        "value": _value(entry.value),
        "headers": [[name, _value(value)] for name, value in entry.headers],
    }


def letters_in(file: Path) -> Iterator[Letter]:
    """The letters that were exported to *file*; blank lines are skipped.

    Raises:
        BadLine: A line is none of them.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _letter(line, f"{file}, line {number}")


def _letter(line: bytes, where: str) -> Letter:
    try:
        read = Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"]))
        raise BadLine(f"{where}: {path and f'{path}: '}{first['msg']}; nothing behind it was read") from None
    headers = [(name, _bytes(value)) for name, value in read.headers]
    return Letter(
        Entry(
            topic=read.topic,
            partition=read.partition,
            offset=read.offset,
            key=_bytes(read.key),
            value=_bytes(read.value),
            headers=headers,
            timestamp=read.timestamp,
        )
    )


def _value(value: bytes | None) -> object:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def _bytes(value: Value) -> bytes | None:
    if isinstance(value, Binary):
        return b64decode(value.base64)
    return None if value is None else value.encode()


def dumped(letter: Letter) -> str:
    """The line itself, which no terminal is harmed by."""
    return json.dumps(to_line(letter))
