"""Records and chunks made by hand."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumer.chunk import Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class HandmadeRecord:
    """A record that no broker has seen."""

    offset: int
    value: bytes | None
    timestamp: int = 1_700_000_000_000
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def request(batchid: str, payload: object = ((1, 2), (3, 4))) -> bytes:
    """A request of the contract, unless *payload* makes it none."""
    return json.dumps({"batchid": batchid, "payload": payload}).encode()


def chunk_of(values: Iterable[bytes | None], *, partition: int = 0, first_offset: int = 0) -> Chunk:
    """A chunk of records with these values."""
    values = list(values)
    return Chunk(
        topic="requests",
        partition=partition,
        records=[HandmadeRecord(offset=offset, value=value) for offset, value in enumerate(values, first_offset)],
        values=values,
        size_bytes=sum(len(value or b"") for value in values),
    )
