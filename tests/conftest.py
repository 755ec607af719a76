"""The broker that tests share, or have to themselves, and word of which one it is."""

import logging
import os
from collections.abc import Iterator
from typing import NoReturn

import pytest
import structlog

from tests.support.brokers import Broker, BrokerError, Choice, Topics, find_broker, fresh_topics
from tests.support.brokers.jars import kafka_jars
from tests.support.brokers.node import java

BROKER_FIXTURES = {"broker", "private_broker"}
MUST_BE_REAL = os.environ.get("REQUIRE_REAL_BROKER") == "1"

# What the environment says of an instance that somebody runs here is no business of those that tests run.
for name in [name for name in os.environ if name.startswith("BATCHSUM_")]:
    del os.environ[name]

choice_key = pytest.StashKey[Choice]()


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    # Not in the header: finding a broker can mean to download one, which a run of unit tests alone shall not pay for.
    if not any(BROKER_FIXTURES.intersection(getattr(item, "fixturenames", ())) for item in items):
        return []
    choice = _choice(config)
    return [f"broker: {choice.kind} ({choice.reason})"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    mark = item.get_closest_marker("real_broker")
    if mark is not None and _choice(item.config).kind == "embedded":
        _cannot(f"the embedded broker is no judge of this: {mark.args[0]}")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a test, or a command that it runs, configures of the logs is no business of the next one."""
    root, client = logging.getLogger(), logging.getLogger("aiokafka")
    handlers, levels = root.handlers[:], (root.level, client.level)
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    for logger, level in zip((root, client), levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """The broker of all tests that do not disturb it."""
    yield from _running(_choice(pytestconfig))


@pytest.fixture(scope="session")
def java_and_its_jars() -> None:
    """Apache Kafka can be run as a process, as tests need that want more than one broker, or one that is set up differently."""
    try:
        kafka_jars()
    except BrokerError as error:
        _cannot(str(error))
    if java() is None:
        _cannot("there is no Java to run Apache Kafka with")


@pytest.fixture
def private_broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """A broker of the test's own, to stop, start, kill and pause."""
    choice = _choice(pytestconfig)
    if not choice.can_be_disturbed:
        _cannot(f"the {choice.kind} broker cannot be stopped and started")
    yield from _running(choice)


@pytest.fixture
def topics(broker: Broker) -> Topics:
    """Topics with four partitions each, and a group; `fresh_topics` makes others."""
    return fresh_topics(broker)


def _choice(config: pytest.Config) -> Choice:
    if choice_key not in config.stash:
        config.stash[choice_key] = find_broker()
    return config.stash[choice_key]


def _running(choice: Choice) -> Iterator[Broker]:
    broker = choice.make()
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


def _cannot(reason: str) -> NoReturn:
    if MUST_BE_REAL:
        pytest.fail(f"REQUIRE_REAL_BROKER is set, and {reason}")
    pytest.skip(reason)
