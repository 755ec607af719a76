"""The live page in a browser, in front of a service under load."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from config.settings import Settings
from consumer.service import Service
from tests.support.brokers import Broker, Topics
from tests.support.brokers.ports import free_port
from tests.support.browser import TIMEOUT_MS, watched_page
from tests.support.http import answers, http_settings
from tests.support.in_process import running_service
from tests.support.kafka import produce, settings_for
from tests.support.records import request
from tests.support.waiting import wait_until

PAYLOAD = 987_654_321
PHONE = {"width": 360, "height": 740}

expect.set_options(timeout=TIMEOUT_MS)


def settings(broker: Broker, topics: Topics, **others: object) -> Settings:
    return settings_for(broker, topics, workers=2, **http_settings(**others))


@asynccontextmanager
async def under_load(broker: Broker, topics: Topics, **others: object) -> AsyncIterator[Service]:
    """A service whose partitions are all written to, a bad batch among the others now and then."""

    async def submit() -> None:
        while True:
            for partition in range(4):
                values = [request(f"secret batchid {number}", [[PAYLOAD]]) for number in range(200)]
                await produce(broker, topics.request_topic, [*values, b'{"secret": broken'], partition=partition)

    # Added unchecked, for a secret that this broker does not ask for is a mistake.
    async with running_service(settings(broker, topics).model_copy(update=others)) as service:
        load = asyncio.create_task(submit())
        try:
            await wait_until(lambda: service.report.batches > 0)
            yield service
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)


@asynccontextmanager
async def live_page(chromium: Browser, service: Service, **context: object) -> AsyncIterator[Page]:
    """The page of *service*, which in the end has had nothing to complain of and has asked nobody else."""
    url = await url_of(service)
    async with watched_page(chromium, url, **context) as watched:
        await expect(watched.page.locator("#health")).to_have_text("ready")
        yield watched.page
        assert watched.said == []
        assert watched.hosts == {url.removeprefix("http://")}


async def url_of(service: Service) -> str:
    """Where *service* answers, once it does."""
    assert service.http is not None
    await wait_until(lambda: service.health.background, timeout_s=60)
    await answers(service.http.url)
    return service.http.url


async def figure(page: Page, name: str) -> int:
    """The number that stands in the element with this id."""
    return int((await page.locator(f"#{name}").inner_text()).replace(",", ""))


async def test_figures_and_charts_move_under_load(broker: Broker, topics: Topics, chromium: Browser) -> None:
    async with under_load(broker, topics) as service, live_page(chromium, service) as page:
        line = page.locator("#throughput path.good")
        before, drawn = await figure(page, "total"), await line.get_attribute("d")
        await expect(page.locator("#total")).not_to_have_text(f"{before:,}")
        await expect(line).not_to_have_attribute("d", drawn or "")
        assert await figure(page, "total") > before
        await expect(page.locator("#rate")).not_to_have_text("0")

        lanes, workers = page.get_by_role("row"), page.locator("#workers li")
        assert [await lanes.nth(n).get_by_role("cell").first.inner_text() for n in range(1, 5)] == ["0", "1", "2", "3"]
        pids = {f"pid {pid}" for pid in service.pool.pids}
        assert set(await workers.locator("strong").all_inner_texts()) == pids
        await expect(page.get_by_role("img", name="batches a second now")).to_be_visible()


async def test_dead_letters_show_by_reason_and_place(broker: Broker, topics: Topics, chromium: Browser) -> None:
    await produce(broker, topics.request_topic, [request("good")] * 3 + [b"broken"], partition=1)
    async with running_service(settings(broker, topics)) as service, live_page(chromium, service) as page:
        letters = page.get_by_role("region", name="Last dead letters").get_by_role("listitem")
        await expect(letters).to_have_count(1)
        await expect(letters).to_contain_text("invalid_json")
        await expect(letters).to_contain_text("1/3 at ")
        await expect(page.locator("#rejected")).to_have_text("1")


async def test_nothing_of_a_payload_and_no_secret_is_on_the_page(
    broker: Broker, topics: Topics, chromium: Browser
) -> None:
    async with (
        under_load(broker, topics, ssl_key_password=SecretStr("hunter2")) as service,
        live_page(chromium, service) as page,
    ):
        await expect(page.get_by_role("region", name="Last dead letters").get_by_role("listitem")).not_to_have_count(0)
        await page.get_by_text("Settings", exact=True).click()
        await expect(page.get_by_role("row", name="ssl_key_password ", exact=False).first).to_have_text(
            "ssl_key_password********"
        )
        for text in (await page.content(), await page.evaluate("fetch('state').then((state) => state.text())")):
            assert "batch-requests" in text or topics.request_topic in text
            for hidden in ("secret batchid", str(PAYLOAD), "hunter2", "broken"):
                assert hidden not in text


async def test_the_page_comes_back_with_the_instance(broker: Broker, topics: Topics, chromium: Browser) -> None:
    port = free_port()
    await produce(broker, topics.request_topic, [request("a"), request("b")])
    async with contextlib.AsyncExitStack() as open_page:
        async with running_service(settings(broker, topics, http_port=port)) as first:
            watched = await open_page.enter_async_context(watched_page(chromium, await url_of(first)))
            await expect(watched.page.locator("#total")).to_have_text("2")
        health = watched.page.locator("#health")
        await expect(health).to_have_text("connection lost, trying again")
        async with running_service(settings(broker, topics, http_port=port)):
            await expect(health).to_have_text("ready")
            await expect(watched.page.locator("#total")).to_have_text("0")
            assert await watched.page.locator("#workers li").count() == 2


async def test_a_phone_shows_it_without_scrolling_sideways(broker: Broker, topics: Topics, chromium: Browser) -> None:
    async with under_load(broker, topics) as service, live_page(chromium, service, viewport=PHONE) as page:
        await expect(page.locator("#results li")).not_to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        box = await page.locator("#throughput").bounding_box()
        assert box is not None
        assert box["width"] > 0.8 * PHONE["width"]


async def test_nothing_jumps_while_it_is_updated(broker: Broker, topics: Topics, chromium: Browser) -> None:
    async with under_load(broker, topics) as service, live_page(chromium, service) as page:
        await expect(page.locator("#results li")).to_have_count(8)
        await expect(page.locator("#letters li")).to_have_count(8)
        footer = page.get_by_role("contentinfo")
        before = await footer.bounding_box()
        total = await page.locator("#total").inner_text()
        await expect(page.locator("#total")).not_to_have_text(total)
        assert await footer.bounding_box() == before


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
async def test_it_is_light_or_dark_as_the_reader_has_it(
    broker: Broker, topics: Topics, chromium: Browser, scheme: str, dark: bool
) -> None:
    async with (
        running_service(settings(broker, topics)) as service,
        live_page(chromium, service, color_scheme=scheme) as page,
    ):
        colours = await page.evaluate(
            "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
        )
        background, ink = (sum(map(int, colour[4:-1].split(","))) for colour in colours)
        assert (background < ink) is dark


async def test_all_of_it_can_be_reached_by_keyboard(broker: Broker, topics: Topics, chromium: Browser) -> None:
    async with running_service(settings(broker, topics)) as service, live_page(chromium, service) as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to what it is doing")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("group", name="Lanes as a table")).to_be_focused()
        while not await page.get_by_text("Settings", exact=True).evaluate(
            "(summary) => summary === document.activeElement"
        ):
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("row", name="lane_chunks_max")).to_be_visible()


async def test_the_charts_can_be_read_as_a_table(broker: Broker, topics: Topics, chromium: Browser) -> None:
    async with under_load(broker, topics) as service, live_page(chromium, service) as page:
        await page.get_by_text("The last five minutes as a table").click()
        rows = page.get_by_role("region", name="The last five minutes as a table").get_by_role("row")
        await expect(rows).not_to_have_count(1)
        assert (await rows.nth(1).get_by_role("cell").first.inner_text()).startswith("0 to ")


async def test_the_form_answers_where_batches_are_taken(broker: Broker, topics: Topics, chromium: Browser) -> None:
    async with running_service(settings(broker, topics)) as service, live_page(chromium, service) as page:
        form = page.get_by_role("region", name="Send a batch")
        await form.get_by_role("textbox", name="Request").fill('{"batchid": "by hand", "payload": [[20, 22]]}')
        await form.get_by_role("button", name="Send").press("Enter")
        await expect(form.get_by_role("status")).to_contain_text('"response": [42]')
