"""Requests from lines and from nothing."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from consumer.commands.requests import READ_BYTES_MAX, encode, from_generator, from_lines, generated
from consumer.kafka.caller import Request


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


async def read(data: bytes, pipe: tuple[int, int]) -> list[Request]:
    reader, writer = pipe

    def write() -> None:
        with os.fdopen(writer, "wb") as stream:
            stream.write(data)

    writing = asyncio.create_task(asyncio.to_thread(write))
    requests = [request async for request in from_lines(reader)]
    await writing
    return requests


async def test_a_line_is_a_request_bit_for_bit(pipe: tuple[int, int]) -> None:
    lines = [b'  {"batchid" : "a","payload":[[1]]}\r', b"\xff\xfe not text", b"{}"]
    requests = await read(b"\n".join(lines), pipe)
    assert [request.value for request in requests] == lines


async def test_blank_lines_are_no_requests(pipe: tuple[int, int]) -> None:
    assert [request.value for request in await read(b"\n1\n\n \r\n2\n\n", pipe)] == [b"1", b"2"]


async def test_a_line_longer_than_one_read_is_one_request(pipe: tuple[int, int]) -> None:
    long = b"x" * (2 * READ_BYTES_MAX + 17)
    assert [request.value for request in await read(long + b"\nshort\n", pipe)] == [long, b"short"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"batchid": "id0101", "payload": [[1]]}', b"id0101"),
        ('{"batchid": "ünïcode"}'.encode(), "ünïcode".encode()),
        (b'{"batchid": "digits", "payload": [[' + b"9" * 5_000 + b"]]}", b"digits"),
        (b'{"batchid": ""}', None),
        (b'{"batchid": 7}', None),
        (b'{"payload": []}', None),
        (b'["batchid"]', None),
        (b'{"batchid": "cut', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
async def test_the_key_is_the_batchid_where_one_can_be_read(
    line: bytes, key: bytes | None, pipe: tuple[int, int]
) -> None:
    (request,) = await read(line, pipe)
    assert request.key == key


async def test_a_line_is_a_request_before_the_next_one_is_there(pipe: tuple[int, int]) -> None:
    """So that a person, or a program that waits for the answer, can use it line by line."""
    reader, writer = pipe
    async with aclosing(from_lines(reader)) as requests:
        for line in (b"first", b"second"):
            os.write(writer, line + b"\n")
            request = await asyncio.wait_for(anext(requests), 10)
            assert request.value == line
    os.close(writer)


async def test_nobody_has_to_wait_for_a_line_that_does_not_come(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(from_lines(reader)), 0.05)
    os.close(writer)


async def test_a_file_that_cannot_be_read_is_an_error(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    with pytest.raises(OSError, match="Bad file descriptor"):
        await anext(from_lines(writer))
    os.close(writer)


def test_the_same_seed_makes_the_same_batches() -> None:
    def made(seed: int) -> list[tuple[str, list[list[int]]]]:
        return list(generated(batches=3, lists=2, integers=5, seed=seed))

    assert made(1) == made(1)
    assert made(1) != made(2)


async def test_generated_requests_are_as_large_as_asked_for_and_all_different() -> None:
    requests = [request async for request in from_generator(batches=20, lists=3, integers=4, seed=0)]
    bodies = [json.loads(request.value or b"") for request in requests]
    assert len({body["batchid"] for body in bodies}) == 20
    assert all([len(integers) for integers in body["payload"]] == [4, 4, 4] for body in bodies)
    assert [request.key for request in requests] == [body["batchid"].encode() for body in bodies]


def test_a_request_is_encoded_as_the_contract_says() -> None:
    request = encode("id0101", [[1, 2], [3, 4]])
    assert json.loads(request.value or b"") == {"batchid": "id0101", "payload": [[1, 2], [3, 4]]}
