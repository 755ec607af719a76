"""The system's own Chromium, and pages in it that tell what went wrong in them."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 60_000


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Chromium; without one the test is skipped, unless REQUIRE_BROWSER=1."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("there is no chromium, and REQUIRE_BROWSER=1")
        pytest.skip("there is no chromium")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield chromium
        finally:
            await chromium.close()


class Watched:
    """A page, what its console has said, and which hosts it has asked for anything."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.hosts: set[str | None] = set()
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))


@asynccontextmanager
async def watched_page(chromium: Browser, url: str, **context: Any) -> AsyncIterator[Watched]:
    """The page at *url*, in a window that has nothing to do with any other one's."""
    window = await chromium.new_context(**context)
    window.set_default_timeout(TIMEOUT_MS)
    try:
        watched = Watched(await window.new_page())
        await watched.page.goto(url)
        yield watched
    finally:
        await window.close()
