"""The page that documents the HTTP port, in a browser: all that the OpenAPI document has, and a form to try it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import TIMEOUT_MS, watched_page
from tests.support.http import serving
from tests.support.instance import FakeInstance

PHONE = {"width": 360, "height": 740}

expect.set_options(timeout=TIMEOUT_MS)


@asynccontextmanager
async def docs(chromium: Browser, *, refused: int = 0, **context: object) -> AsyncIterator[Page]:
    """The page, which has had nothing to complain of but *refused* requests, and has asked nobody else."""
    async with (
        serving(FakeInstance()) as client,
        watched_page(chromium, f"{client.base_url}/docs", **context) as watched,
    ):
        await expect(watched.page.locator("#models > section")).not_to_have_count(0)
        yield watched.page
        assert len(watched.said) == refused, watched.said
        assert watched.hosts == {client.base_url.netloc.decode()}


async def test_it_has_all_that_can_be_asked_and_every_model(chromium: Browser) -> None:
    async with docs(chromium) as page:
        document = await page.evaluate("fetch('openapi.json').then((document) => document.json())")
        asked = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
        labels = "(sections) => sections.map((section) => section.ariaLabel)"
        assert await page.locator("#operations > section").evaluate_all(labels) == asked
        assert await page.locator("#models > section").evaluate_all(labels) == [*document["components"]["schemas"]]
        answers = page.get_by_role("region", name="POST /process_batch").get_by_role("row")
        assert await answers.locator("b").all_inner_texts() == ["200", "400", "413", "415", "422", "503"]


async def test_every_link_within_it_leads_somewhere(chromium: Browser) -> None:
    async with docs(chromium) as page:
        leads = """(links) => links.map(({hash}) => [hash, document.querySelector(hash) !== null])"""
        links = await page.locator("main a").evaluate_all(leads)
        assert {"#process_batch", "#model-Request", "#model-Problem"} <= {link for link, _ in links}
        assert [link for link, found in links if not found] == []


async def test_the_live_page_leads_to_it(chromium: Browser) -> None:
    async with docs(chromium) as page:
        await page.get_by_role("link", name="Live page").click()
        await page.get_by_role("link", name="HTTP port").click()
        await expect(page.get_by_role("region", name="POST /process_batch")).to_be_visible()


async def test_the_example_can_be_sent_as_it_stands_and_otherwise(chromium: Browser) -> None:
    async with docs(chromium, refused=1) as page:
        operation = page.get_by_role("region", name="POST /process_batch")
        send, answer = operation.get_by_role("button"), operation.get_by_role("status")
        await send.click()
        await expect(answer).to_contain_text('200 application/json\n{"batchid": "id0101", "response": [3, 7]')
        await operation.get_by_role("textbox").fill('{"batchid": "a", "payload": [[1, "2"]]}')
        await send.click()
        await expect(answer).to_contain_text("422 application/problem+json")
        await expect(answer).to_contain_text("payload.0.1")


async def test_what_takes_nothing_can_be_asked_too(chromium: Browser) -> None:
    async with docs(chromium) as page:
        operation = page.get_by_role("region", name="GET /metrics")
        await operation.get_by_role("button").click()
        await expect(operation.get_by_role("status")).to_contain_text("batchsum_lag_seconds")


async def test_all_of_it_can_be_reached_by_keyboard(chromium: Browser) -> None:
    async with docs(chromium) as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to what can be asked")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        send = page.get_by_role("button", name="Send POST /add_numbers")
        while not await send.evaluate("(button) => button === document.activeElement"):
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        operation = page.get_by_role("region", name="POST /add_numbers")
        await expect(operation.get_by_role("status")).to_contain_text('{"result":10}')


async def test_a_phone_shows_it_without_scrolling_sideways(chromium: Browser) -> None:
    async with docs(chromium, viewport=PHONE) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
async def test_it_is_light_or_dark_as_the_reader_has_it(chromium: Browser, scheme: str, dark: bool) -> None:
    async with docs(chromium, color_scheme=scheme) as page:
        colours = await page.evaluate(
            "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
        )
        background, ink = (sum(map(int, colour[4:-1].split(","))) for colour in colours)
        assert (background < ink) is dark
