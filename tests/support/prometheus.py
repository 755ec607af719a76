"""Prometheus itself, as Debian packages it: the programs, and one of a test's own that scrapes a target."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.brokers.last_will import LastWill
from tests.support.brokers.ports import free_port
from tests.support.http import client_of
from tests.support.waiting import POLL_S, patience

START_TIMEOUT_S = 30.0
SCRAPES_EVERY_S = 1


def program(name: str) -> str:
    """Where it is; without it the test is skipped, unless REQUIRE_PROMETHEUS=1."""
    executable = shutil.which(name)
    if executable is None:
        if os.environ.get("REQUIRE_PROMETHEUS") == "1":
            pytest.fail(f"there is no {name}, and REQUIRE_PROMETHEUS=1")
        pytest.skip(f"there is no {name}")
    return executable


class Prometheus:
    """One that runs."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that *expression* returns now.

        Raises:
            AssertionError: It is no PromQL.
        """
        answer = (await self._client.get("/api/v1/query", params={"query": expression})).json()
        assert answer["status"] == "success", (expression, answer)
        return list(answer["data"]["result"])

    async def rules(self) -> list[dict[str, Any]]:
        """Its rules, each with its health and its state."""
        groups = (await self._client.get("/api/v1/rules")).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def until(self, expression: str, *, timeout_s: float = 60.0) -> None:
        """Return when *expression* returns any series."""
        async with asyncio.timeout(timeout_s * patience()):
            while not await self.query(expression):
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def scraping(url: str, directory: Path, *, rule_file: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes the instance at *url* every second, as the job `batchsum`, and follows *rule_file*."""
    executable, port = program("prometheus"), free_port()
    config = directory / "prometheus.yml"
    every = f"{SCRAPES_EVERY_S}s"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
                "rule_files": [str(rule_file)],
                "scrape_configs": [
                    {"job_name": "batchsum", "static_configs": [{"targets": [url.removeprefix("http://")]}]}
                ],
            }
        )
    )
    arguments = {
        "config.file": config,
        "storage.tsdb.path": directory / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "warn",
    }
    log_file = directory / "prometheus.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [executable, *(f"--{name}={value}" for name, value in arguments.items())],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    last_will = LastWill(["kill", "-KILL", str(process.pid)])
    try:
        async with client_of(f"http://127.0.0.1:{port}") as client:
            assert await _ready(client, process), log_file.read_text()
            yield Prometheus(client)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
        last_will.revoke()


async def _ready(client: httpx.AsyncClient, process: "subprocess.Popen[bytes]") -> bool:
    """Whether it is ready, once it is, or has ended."""
    async with asyncio.timeout(START_TIMEOUT_S * patience()):
        while process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/-/ready")).is_success:
                    return True
            await asyncio.sleep(POLL_S)
    return False
