"""The proxy does to a connection what it is told, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.brokers.ports import HOST, free_port
from tests.support.proxy import Proxy

SHORT_S = 0.3


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(1 << 16):
                writer.write(piece)
        except ConnectionError:
            pass
        finally:
            writer.close()

    port = free_port()
    server = await asyncio.start_server(echo, HOST, port)
    async with Proxy(f"{HOST}:{port}").running() as proxy:
        yield proxy
    server.close()


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, question: bytes) -> bytes:
        self._writer.write(question)
        return await self._reader.readexactly(len(question))


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Client]:
    host, _, port = proxy.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_what_is_sent_arrives_whole_and_in_order(proxy: Proxy) -> None:
    question = bytes(range(256)) * 4096
    async with connected(proxy) as client:
        assert await client.ask(question) == question


async def test_a_reset_connection_fails_and_the_next_one_works(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        await client.ask(b"first")
        assert proxy.reset() == 1
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.ask(b"second")
    async with connected(proxy) as client:
        assert await client.ask(b"third") == b"third"


async def test_half_open_connections_swallow_and_new_ones_work(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        await client.ask(b"first")
        assert proxy.half_open() == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.ask(b"second"), SHORT_S)
        async with connected(proxy) as other:
            assert await other.ask(b"third") == b"third"


async def test_latency_delays_both_ways_and_ends_with_the_fault(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        proxy.latency_s = SHORT_S
        started = time.monotonic()
        await client.ask(b"slow")
        assert time.monotonic() - started >= 2 * SHORT_S
        proxy.latency_s = 60
        asking = asyncio.create_task(client.ask(b"slow"))
        await asyncio.sleep(SHORT_S)
        await proxy.heal()
        assert await asyncio.wait_for(asking, 2) == b"slow"


async def test_bandwidth_bounds_what_passes(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        proxy.bytes_per_s = 1000
        started = time.monotonic()
        await client.ask(bytes(500))
        assert time.monotonic() - started >= 0.4


async def test_the_way_up_can_be_narrow_alone(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        proxy.upward_bytes_per_s = 1000
        started = time.monotonic()
        await client.ask(bytes(500))
        assert time.monotonic() - started >= 0.4


async def test_it_refuses_until_it_is_healed(proxy: Proxy) -> None:
    await proxy.refuse()
    with pytest.raises(ConnectionError):
        await connected(proxy).__aenter__()
    await proxy.heal()
    async with connected(proxy) as client:
        assert await client.ask(b"again") == b"again"


async def test_nobody_behind_it_looks_like_nobody_at_all(proxy: Proxy) -> None:
    proxy.target = f"{HOST}:{free_port()}"
    async with connected(proxy) as client:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.ask(b"hello")


async def test_a_connection_in_the_making_is_refused_like_any_other(proxy: Proxy) -> None:
    """Or it would outlive the refusal, and be waited for in vain."""
    async with connected(proxy) as client, connected(proxy):
        await asyncio.wait_for(proxy.refuse(), 2)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.ask(b"hello")
