"""The clusters of the chaos tests, and a scene on each for every test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from consumer.ledger.entry import Delivery
from tests.chaos.cluster import ChaosKafka
from tests.chaos.scene import Scene, scene


@pytest.fixture(scope="session")
def kafka(java_and_its_jars: None) -> Iterator[ChaosKafka]:
    """One broker behind proxies; a test that disturbs it puts it right again."""
    with ChaosKafka() as running:
        yield running


@pytest.fixture(scope="session")
def cluster(java_and_its_jars: None) -> Iterator[ChaosKafka]:
    """Three brokers behind proxies; a test that disturbs one puts it right again."""
    with ChaosKafka(nodes=3) as running:
        yield running


@pytest.fixture
def delivery() -> Delivery:
    """The default; tests for which it matters take both, by `both_deliveries`."""
    return "at_least_once"


@pytest.fixture
async def stage(kafka: ChaosKafka, delivery: Delivery, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene on one broker."""
    async with scene(kafka, tmp_path, delivery=delivery) as playing:
        yield playing


@pytest.fixture
async def wide_stage(cluster: ChaosKafka, delivery: Delivery, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene on three brokers."""
    async with scene(cluster, tmp_path, delivery=delivery) as playing:
        yield playing
