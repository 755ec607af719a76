"""Requests and responses, put into bytes and back a run of numbers at a time.

T33: aiokafka takes three calls for each number, and of every partition that a fetch asks for there are thirteen on the way
out and back, whether it brings anything or not.
"""

import struct
from functools import cache
from io import BytesIO
from itertools import groupby
from typing import Any

from aiokafka.protocol import types
from aiokafka.protocol.struct import Struct

FORMATS = {
    types.Int8: "b",
    types.Int16: "h",
    types.Int32: "i",
    types.UInt32: "I",
    types.Int64: "q",
    types.Float64: "d",
    types.Boolean: "?",
}


@cache
def _runs(schema: Any) -> tuple[tuple[int, Any], ...]:
    """The fields of *schema* as (how many, what encodes and decodes them): neighbours of fixed width are one `struct.Struct`."""
    runs: list[tuple[int, Any]] = []
    for fixed, group in groupby(schema.fields, key=FORMATS.__contains__):
        fields = list(group)
        if fixed:
            runs.append((len(fields), struct.Struct(">" + "".join(FORMATS[field] for field in fields))))
        else:
            runs += [(1, field) for field in fields]
    return tuple(runs)


def _encode(self: Any, item: Any) -> bytes:
    if len(item) != len(self.fields):
        raise ValueError("Item field count does not match Schema")
    pieces, at = [], 0
    for count, run in _runs(self):
        if type(run) is struct.Struct:
            pieces.append(run.pack(*item[at : at + count]))
        else:
            pieces.append(run.encode(item[at]))
        at += count
    return b"".join(pieces)


def _decode(self: Any, data: BytesIO) -> tuple[Any, ...]:
    values: list[Any] = []
    for _, run in _runs(self):
        if type(run) is struct.Struct:
            values += run.unpack(data.read(run.size))
        else:
            values.append(run.decode(data))
    return tuple(values)


def _decode_struct(cls: Any, data: BytesIO | bytes) -> Any:
    decoded = cls.__new__(cls)
    values = cls.SCHEMA.decode(BytesIO(data) if isinstance(data, bytes) else data)
    decoded.__dict__.update(zip(cls.SCHEMA.names, values, strict=True))
    return decoded


def _simplify(number: Any) -> None:
    """A number alone, as the length of something, takes one call and not three."""
    packed = struct.Struct(">" + FORMATS[number])
    number.encode = packed.pack
    number.decode = lambda data: packed.unpack(data.read(packed.size))[0]


def install() -> None:
    """Have all requests and responses treated that way; more than once does no harm."""
    for number in FORMATS:
        _simplify(number)
    types.Schema.encode = _encode
    types.Schema.decode = _decode
    Struct.decode = classmethod(_decode_struct)
