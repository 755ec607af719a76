"""Requests and responses in bytes: those of the client's own types, with fewer calls."""

import importlib
import pkgutil
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from aiokafka import protocol
from aiokafka.protocol import types
from aiokafka.protocol.struct import Struct
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.kafka import client  # noqa: F401 - it installs what is tested here

BYTES_OF_WHOLE_NUMBERS = {types.Int8: 1, types.Int16: 2, types.Int32: 4, types.Int64: 8}


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


NUMBERS = {
    **{number: whole(8 * size) for number, size in BYTES_OF_WHOLE_NUMBERS.items()},
    types.VarInt32: whole(32),
    types.VarInt64: whole(64),
    types.UInt32: st.integers(0, 2**32 - 1),
    types.UnsignedVarInt32: st.integers(0, 2**32 - 1),
    types.Float64: st.floats(allow_nan=False),
    types.Boolean: st.booleans(),
    types.TaggedFields: st.just({}),
}


def messages() -> Iterator[type[Struct]]:
    """Every request, response and header that the client knows, without records of old, which it decodes in a way of their own."""
    for module in pkgutil.iter_modules(protocol.__path__):
        importlib.import_module(f"{protocol.__name__}.{module.name}")
    waiting = [Struct]
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        if found.SCHEMA.fields and "decode" not in vars(found):
            yield found


MESSAGES = sorted(messages(), key=lambda one: (one.__module__, one.__name__))


def values(field: Any) -> st.SearchStrategy[Any]:
    """What *field* can be given."""
    if isinstance(field, types.Schema):
        return st.tuples(*map(values, field.fields))
    if isinstance(field, types.Array):
        return st.none() | st.lists(values(field.array_of), max_size=3)
    if isinstance(field, types.String):
        return st.none() | st.text(max_size=9)
    return NUMBERS.get(field, st.none() | st.binary(max_size=9))


def encoded_by_field(field: Any, value: Any) -> bytes:
    """What the protocol makes of *value*, one by one."""
    if isinstance(field, types.Schema):
        return b"".join(map(encoded_by_field, field.fields, value))
    if field in BYTES_OF_WHOLE_NUMBERS:
        return int(value).to_bytes(BYTES_OF_WHOLE_NUMBERS[field], signed=True)
    if isinstance(field, types.Array):
        sized_by, content = types.Int32, [encoded_by_field(field.array_of, one) for one in value or ()]
    elif isinstance(field, types.String):
        sized_by, content = types.Int16, [(value or "").encode()]
    elif field is types.Bytes:
        sized_by, content = types.Int32, [value or b""]
    else:
        return bytes(field.encode(value))
    size = -1 if value is None else len(value if isinstance(field, types.Array) else content[0])
    if isinstance(field, types.CompactArray | types.CompactString):
        return bytes(types.UnsignedVarInt32.encode(size + 1)) + b"".join(content)
    return encoded_by_field(sized_by, size) + b"".join(content)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.__name__)
@settings(max_examples=10)
@given(data=st.data())
def test_a_message_is_the_same_bytes_as_field_by_field_and_is_read_back(message: Any, data: st.DataObject) -> None:
    value = data.draw(values(message.SCHEMA))
    encoded = message.SCHEMA.encode(value)
    assert encoded == encoded_by_field(message.SCHEMA, value)
    behind = BytesIO(encoded + b"the next one")
    assert message.SCHEMA.decode(behind) == value
    assert behind.read() == b"the next one"
    assert vars(message.decode(encoded)) == dict(zip(message.SCHEMA.names, value, strict=True))


def test_a_message_that_ends_before_its_last_number_is_refused() -> None:
    pair = types.Schema(("first", types.Int32), ("second", types.Int64))
    with pytest.raises(struct.error, match="12 bytes"):
        pair.decode(BytesIO(bytes(11)))


def test_a_number_that_is_too_large_for_its_field_is_refused() -> None:
    pair = types.Schema(("first", types.Int32), ("second", types.Int64))
    with pytest.raises(struct.error, match="number"):
        pair.encode((2**31, 0))


def test_an_item_with_a_field_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="does not match"):
        types.Schema(("only", types.Int32)).encode((1, 2))
