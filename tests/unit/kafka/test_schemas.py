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


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


NUMBERS = {
    types.Int8: whole(8),
    types.Int16: whole(16),
    types.Int32: whole(32),
    types.Int64: whole(64),
    types.VarInt32: whole(32),
    types.VarInt64: whole(64),
    types.UInt32: st.integers(0, 2**32 - 1),
    types.UnsignedVarInt32: st.integers(0, 2**32 - 1),
    types.Float64: st.floats(allow_nan=False),
    types.Boolean: st.booleans(),
    types.TaggedFields: st.just({}),
}


def messages() -> Iterator[type[Struct]]:
    """Every request, response and header that the client knows."""
    for module in pkgutil.iter_modules(protocol.__path__):
        importlib.import_module(f"{protocol.__name__}.{module.name}")
    waiting = [Struct]
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        if found.SCHEMA.fields:
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
    """What the client's own types make of *value*, one by one."""
    if isinstance(field, types.Schema):
        return b"".join(map(encoded_by_field, field.fields, value))
    if isinstance(field, types.Array) and value is not None:
        compact = isinstance(field, types.CompactArray)
        count = types.UnsignedVarInt32.encode(len(value) + 1) if compact else types.Int32.encode(len(value))
        return bytes(count) + b"".join(encoded_by_field(field.array_of, one) for one in value)
    return bytes(field.encode(value))


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
