"""The server: its port is had at once or not at all, and what is being answered is answered before it ends."""

import asyncio
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from config.settings import Settings
from consumer.http import HttpMissing, http_port
from consumer.http.server import CannotListen
from tests.support.http import http_settings, serving
from tests.support.instance import FakeInstance


def settings(**others: object) -> Settings:
    return Settings.model_validate(http_settings(**others))


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port}: .*set http_host or http_port") as caught:
            http_port(FakeInstance(), settings(http_port=port)).bind()
    assert caught.value.exit_code == 2


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        http_port(FakeInstance(), settings(http_host="192.0.2.1")).bind()


def test_a_missing_extra_is_told_with_what_to_do() -> None:
    """In a process of its own, where the library cannot be imported."""
    script = """
        import sys
        sys.modules["fastapi"] = None
        from config.settings import Settings
        from consumer.http import HttpMissing, http_port
        try:
            http_port(None, Settings(http_enabled=True))
        except HttpMissing as missing:
            print(missing.exit_code, missing)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stdout == "2 http_enabled needs fastapi, which is not installed: pip install 'batchsum[http]'\n"
    assert issubclass(HttpMissing, Exception)


async def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    port = http_port(FakeInstance(), settings())
    port.bind()
    assert port.url.startswith("http://127.0.0.1:")
    port.close()


async def test_nothing_is_heard_before_it_runs_and_nothing_after_it() -> None:
    async with serving(FakeInstance()) as client:
        url = client.base_url
        assert (await client.get("/livez")).status_code == 200
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(url.host, url.port)


async def test_the_signals_stay_those_of_the_instance() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    async with serving(FakeInstance()) as client:
        await client.get("/livez")
        assert {number: signal.getsignal(number) for number in before} == before
