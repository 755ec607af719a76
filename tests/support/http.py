"""The HTTP port as a caller finds it: a server on a free port of the loopback, and a client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from config.settings import Settings
from consumer.http import http_port
from consumer.http.instance import Instance
from tests.support.waiting import POLL_S, wait_until

TIMEOUT_S = 60.0


def http_settings(**others: object) -> dict[str, Any]:
    """What switches the port on, on any port that is free."""
    return {"http_enabled": True, "http_port": 0, **others}


@asynccontextmanager
async def serving(instance: Instance, **others: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the port in front of *instance*."""
    port = http_port(instance, Settings.model_validate(http_settings(**others)))
    port.bind()
    running = asyncio.create_task(port.run())
    try:
        await wait_until(lambda: port._uvicorn.started)  # until then the port is taken, and nobody listens
        async with client_of(port.url) as client:
            yield client
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        port.close()


def client_of(url: str) -> httpx.AsyncClient:
    """A client that sends its requests to *url*, whatever proxies the environment may name."""
    return httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)


async def sample(url: str, name: str) -> float:
    """The value of a metric without labels, as the port at *url* tells it now: `batchsum_ready`."""
    async with client_of(url) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    (value,) = (line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} "))
    return float(value)


async def answers(url: str) -> None:
    """Return when the port at *url* answers: it is bound before the instance joins its group, and listens after that."""
    async with client_of(url) as client, asyncio.timeout(TIMEOUT_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                await client.get("/livez")
                return
            await asyncio.sleep(POLL_S)
