"""What goes out on a connection: the same bytes as the client's own, put together once."""

from typing import Any

import pytest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.struct import Struct

from consumer.kafka import client  # noqa: F401 - it installs what is tested here
from consumer.kafka.outflow import Message

HEADER, RECORDS = b"a record batch's header, ", b"and its records"


def request(version: Any, *built: Any) -> Any:
    topics = [("results", list(enumerate(built))), ("ünïcode", [])]
    before = ("transaction",) if len(version.SCHEMA.names) == 4 else ()
    return version(*before, -1, 30_000, topics)


@pytest.mark.parametrize("version", ProduceRequest._CLASSES)
def test_a_request_of_batches_in_pieces_is_that_of_whole_ones(version: Any) -> None:
    """Compared with what aiokafka's own types make of it."""
    whole = Struct.encode(request(version, HEADER + RECORDS, b"x" * 70_000))
    sent = b"header" + request(version, (HEADER, RECORDS), bytearray(b"x" * 70_000)).encode()
    assert isinstance(sent, Message)
    assert b"size" + sent == b"sizeheader" + whole
    assert len(sent) == len(b"header" + whole)


def test_a_request_without_a_batch_is_one_too() -> None:
    version = ProduceRequest._CLASSES[-1]
    assert b"" + (b"" + version(None, 1, 1, []).encode()) == Struct.encode(version(None, 1, 1, []))
