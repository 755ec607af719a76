"""How connections are made, what is left of those that were not, and how long one waits for an answer."""

import asyncio
import gc
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import conn
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v0

from consumer.kafka import client  # noqa: F401 - it installs what is tested here
from tests.support.waiting import wait_until

LONG_S = 30.0
METADATA, API_VERSIONS = 3, 18


class FakeBroker:
    """Says which versions it speaks, and answers a request for metadata if it has any: that it is node 0 itself."""

    def __init__(self, *, has_metadata: bool) -> None:
        self.has_metadata = has_metadata
        self.asked: list[int] = []
        self.address = ""
        self._server: asyncio.Server | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeBroker"]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        async with self._server:
            yield self

    def go(self) -> None:
        """Take no more connections."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, number = struct.unpack_from(">hhi", await reader.readexactly(size))
                self.asked.append(key)
                if key == API_VERSIONS:
                    self._answer(writer, number, ApiVersionResponse_v0(0, [(METADATA, 0, 0)]))
                elif self.has_metadata:
                    host, _, port = self.address.rpartition(":")
                    self._answer(writer, number, MetadataResponse_v0([(0, host, int(port))], []))
        except asyncio.IncompleteReadError:
            writer.close()

    def _answer(self, writer: asyncio.StreamWriter, number: int, answer: Any) -> None:
        body = answer.encode()
        writer.write(struct.pack(">ii", len(body) + 4, number) + body)


async def test_a_start_that_is_given_up_closes_its_connection() -> None:
    """T38: it would be open until memory is cleared, and reported then."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with FakeBroker(has_metadata=False).running() as broker:
        starting = asyncio.create_task(AIOKafkaClient(bootstrap_servers=broker.address).bootstrap())
        await wait_until(lambda: METADATA in broker.asked)
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled()
    del starting
    gc.collect()
    assert told == []


def refusals() -> int:
    """How many refused connections are remembered anywhere."""
    gc.collect()
    return sum(type(thing) is ConnectionRefusedError for thing in gc.get_objects())


async def test_of_an_outage_no_error_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """T25 keeps those of a start, until it is over."""
    caplog.set_level(logging.CRITICAL, "aiokafka")  # pytest itself keeps what is logged
    async with FakeBroker(has_metadata=True).running() as broker:
        one = AIOKafkaClient(bootstrap_servers=broker.address, retry_backoff_ms=1)
        await one.bootstrap()
        broker.go()
        await one.force_metadata_update()
        before = refusals()
        for _ in range(20):
            await one.force_metadata_update()
        assert refusals() <= before
        await one.close()


async def test_a_start_in_vain_says_why() -> None:
    """T25: aiokafka only logs it."""
    async with FakeBroker(has_metadata=True).running() as broker:
        broker.go()
        with pytest.raises(ConnectionRefusedError):
            await AIOKafkaClient(bootstrap_servers=broker.address).bootstrap()


async def test_an_answer_in_time_is_handed_on() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.set_result, "it")
    assert await conn.wait_for(answer, LONG_S) == "it"


async def test_an_error_is_handed_on_as_it_is() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.set_exception, OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        await conn.wait_for(answer, LONG_S)


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        await conn.wait_for(asyncio.get_running_loop().create_future(), 0.01)


async def test_a_wait_that_is_cancelled_cancels_what_it_waits_for() -> None:
    """The connection knows by that that nobody wants the answer any more."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(conn.wait_for(answer, LONG_S))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert answer.cancelled()
