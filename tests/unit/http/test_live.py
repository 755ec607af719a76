"""The live page as a browser is served it, from an instance that stands still."""

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest

from config.settings import Settings
from consumer.http import events, http_port
from consumer.http.server import STOP_TIMEOUT_S
from tests.support.http import client_of, http_settings, serving
from tests.support.instance import FakeInstance

PAGE = Path(__file__).parents[3] / "consumer" / "http" / "page"


async def heard(client: httpx.AsyncClient, messages: int) -> list[dict[str, object]]:
    """So many messages of the stream."""
    told: list[dict[str, object]] = []
    async with client.stream("GET", "/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line.removeprefix("data: ")))
            if len(told) == messages:
                break
    return told


async def test_the_page_and_all_that_it_asks_for_is_served_by_the_port_itself() -> None:
    async with serving(FakeInstance()) as client:
        asked_for: set[str] = set()
        for path in ("/", "/docs"):
            page = await client.get(path)
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            asked_for |= set(re.findall(r'(?:src|href)="(page/[^"]+)"', page.text))
        assert asked_for == {"page/icon.svg", "page/page.css", "page/page.js", "page/docs.css", "page/docs.js"}
        for name in asked_for | {f"page/{file.name}" for file in PAGE.iterdir()}:
            assert (await client.get(f"/{name}")).status_code == 200


async def test_nothing_names_another_host() -> None:
    for file in PAGE.iterdir():
        named = set(re.findall(r"(?:https?:)?//[a-z][^\s\"'<>)]*\.[^\s\"'<>)]+", file.read_text()))
        assert named <= {"http://www.w3.org/2000/svg"}, file.name


async def test_the_browser_is_told_to_run_and_fetch_nothing_else() -> None:
    async with serving(FakeInstance()) as client:
        for path in ("/", "/docs", "/state", "/page/page.js"):
            policy = (await client.get(path)).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy


@pytest.mark.parametrize("name", ["nothing.js", "..%2Flive.py", "%2e%2e%2flive.py", ".%2Fpage.js"])
async def test_no_other_file_is_served(name: str) -> None:
    async with serving(FakeInstance()) as client:
        assert (await client.get(f"/page/{name}")).status_code == 404


async def test_the_state_has_no_secret() -> None:
    secrets = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "sums",
        "sasl_password": "hunter2",
    }
    async with serving(FakeInstance(), **secrets) as client:
        text = (await client.get("/state")).text
    assert json.loads(text)["settings"]["sasl_password"] == "********"
    assert "hunter2" not in text


async def test_an_event_tells_what_changes_and_leaves_out_what_does_not() -> None:
    async with serving(FakeInstance()) as client:
        (first, second) = await heard(client, 2)
        state = (await client.get("/state")).json()
    assert first.keys() == second.keys() == state.keys() - {"history", "settings", "form"}


async def test_who_is_not_ready_says_why() -> None:
    instance = FakeInstance()
    instance.health.ready["group"] = "not in the group"
    async with serving(instance) as client:
        assert (await client.get("/state")).json()["troubles"] == ["not in the group"]


async def test_one_listener_too_many_is_told_to_come_back() -> None:
    async with serving(FakeInstance(), http_listeners_max=1) as client:
        async with client.stream("GET", "/events") as first:
            assert first.status_code == 200
            refused = await client.get("/events")
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["content-type"] == "application/problem+json"
        async with asyncio.timeout(10):
            while (await client.send(client.build_request("GET", "/events"), stream=True)).status_code != 200:
                await asyncio.sleep(0.05)


async def test_a_listener_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SEND_TIMEOUT_S", 0.1)
    sent: list[str] = []

    async def never_taken(message: dict[str, object]) -> None:
        sent.append(str(message["type"]))
        await asyncio.sleep(3600)

    async def stays() -> dict[str, object]:
        await asyncio.sleep(3600)
        raise AssertionError

    source = events.Events(lambda: "", listeners_max=1, stopping=asyncio.Event())
    async with asyncio.timeout(10):
        await source.listen({"type": "http", "asgi": {"spec_version": "2.3"}}, stays, never_taken)  # type: ignore[arg-type]
        await source.listen({"type": "http", "asgi": {"spec_version": "2.3"}}, stays, never_taken)  # type: ignore[arg-type]
    assert sent == ["http.response.start"] * 2, "the first one has left its place to the second"


async def test_one_message_is_made_for_all_who_listen_in_a_second() -> None:
    made = 0

    def make() -> str:
        nonlocal made
        made += 1
        return "{}"

    source = events.Events(make, listeners_max=9, stopping=asyncio.Event())
    first, second = source._messages(), source._messages()
    told = [await anext(stream) for stream in (first, second) for _ in range(2)]
    await first.aclose()
    await second.aclose()
    assert told.count("data: {}\n\n") == 2
    assert made <= 2, "two, if a second has ended in between"


async def test_a_stream_ends_with_the_server_and_does_not_hold_it() -> None:
    port = http_port(FakeInstance(), Settings.model_validate(http_settings()))
    port.bind()
    running = asyncio.create_task(port.run())
    try:
        async with client_of(port.url) as client, client.stream("GET", "/events") as stream:
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith("retry: ")
            running.cancel()
            async for _ in lines:
                pass  # it ends as it should, or httpx would raise
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await asyncio.gather(running, return_exceptions=True)
    finally:
        port.close()


async def test_the_page_can_be_switched_off() -> None:
    async with serving(FakeInstance(), http_page_enabled=False) as client:
        for path, status in {"/": 404, "/docs": 404, "/events": 404, "/state": 404, "/livez": 200}.items():
            assert (await client.get(path)).status_code == status, path
