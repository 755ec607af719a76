"""What comes in on a connection, cut into responses, however it arrives."""

import asyncio
import itertools
import random
import weakref

import pytest

from consumer.kafka.inflow import LENGTH, READ_BYTES, Inflow

SIZES = (0, 1, 10, READ_BYTES - 5, READ_BYTES - 4, READ_BYTES - 3, READ_BYTES, 1, 2, 0, 7 * READ_BYTES, 5)


class Responses:
    """A connection that remembers what it has been handed, and cannot read what begins with `bad`."""

    def __init__(self) -> None:
        self.handed: list[bytes] = []

    def handle(self, response: bytes) -> None:
        if response.startswith(b"bad"):
            raise ValueError("no such response")
        self.handed.append(response)


def inflow(responses: Responses) -> tuple[Inflow, asyncio.StreamReader]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = Inflow(loop.create_future(), reader, loop=loop)
    protocol.handle = weakref.WeakMethod(responses.handle)
    return protocol, reader


def arrive(protocol: Inflow, stream: bytes, portions: "itertools.cycle[int]") -> None:
    while stream:
        room = protocol.get_buffer(-1)
        size = min(len(room), next(portions), len(stream))
        room[:size] = stream[:size]
        stream = stream[size:]
        protocol.buffer_updated(size)
    protocol.get_buffer(-1)


def framed(*responses: bytes) -> bytes:
    return b"".join(LENGTH.pack(len(response)) + response for response in responses)


@pytest.mark.parametrize("portions", [[1, 2, 3], [7], [1_000, 1, 100_000], [READ_BYTES], [1 << 30]])
async def test_responses_are_whole_and_in_order_however_they_arrive(portions: list[int]) -> None:
    made = [random.Random(size).randbytes(size) for size in SIZES]
    if max(portions) < 100:
        made = [response[:50] if len(response) < READ_BYTES else response[: READ_BYTES + 9] for response in made]
    responses = Responses()
    protocol, reader = inflow(responses)

    arrive(protocol, framed(*made), itertools.cycle(portions))

    assert responses.handed == made
    assert not reader.at_eof()


@pytest.mark.parametrize("bad", [b"bad", b"bad" + bytes(2 * READ_BYTES)])
async def test_what_cannot_be_read_is_told_to_whoever_reads_the_stream(bad: bytes) -> None:
    responses = Responses()
    protocol, reader = inflow(responses)

    arrive(protocol, framed(b"good", bad), itertools.cycle([1 << 30]))

    assert responses.handed == [b"good"]
    with pytest.raises(ValueError, match="response"):
        await reader.readexactly(4)


async def test_a_large_response_is_handed_on_although_nothing_follows_it() -> None:
    responses = Responses()
    protocol, _ = inflow(responses)
    stream = framed(bytes(2 * READ_BYTES))
    while stream:
        room = protocol.get_buffer(-1)
        size = min(len(room), len(stream))
        room[:size], stream = stream[:size], stream[size:]
        protocol.buffer_updated(size)
    await asyncio.sleep(0)

    assert responses.handed == [bytes(2 * READ_BYTES)]


async def test_what_comes_after_the_connection_is_gone_is_dropped() -> None:
    responses = Responses()
    protocol, _ = inflow(responses)
    del responses

    arrive(protocol, framed(b"too late", bytes(3 * READ_BYTES)), itertools.cycle([1_000]))
