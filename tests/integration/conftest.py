"""The broker that lets nobody in without proof, for the tests of security; and a browser, for those of the pages."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.brokers import fresh_topics
from tests.support.brokers.identity import Provider
from tests.support.brokers.secured import SecuredKafka
from tests.support.browser import browser
from tests.support.guest import PASSWORD, Guest


@pytest.fixture(scope="session")
def secured_kafka(java_and_its_jars: None) -> Iterator[SecuredKafka]:
    with SecuredKafka() as kafka:
        yield kafka


@pytest.fixture
async def secured(secured_kafka: SecuredKafka) -> AsyncIterator[SecuredKafka]:
    """That broker, within reach."""
    async with secured_kafka.reachable():
        yield secured_kafka


@pytest.fixture
async def guest(secured: SecuredKafka, tmp_path: Path) -> Guest:
    """Somebody at its door."""
    return Guest(secured, await asyncio.to_thread(fresh_topics, secured, partitions=1), tmp_path)


@pytest.fixture
def provider(guest: Guest) -> Iterator[Provider]:
    """Where the guest gets tokens."""
    with Provider(guest.kafka.issuer, secrets={guest.name: PASSWORD}).running() as provider:
        yield provider


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """The system's own."""
    async with browser() as started:
        yield started
