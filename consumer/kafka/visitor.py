"""Clients that come for a moment, while somebody sits in front of them: they wait less, and say what to do."""

from collections.abc import Callable
from typing import Any

from aiokafka.errors import UnknownTopicOrPartitionError

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka.client import Client, connection_options, start_client
from consumer.kafka.security import advice

CALL_TIMEOUT_MS_MAX = 10_000
STOP_TIMEOUT_S = 5


def call_timeout_ms(settings: Settings) -> int:
    """How long a visitor waits for an answer."""
    return min(settings.connect_timeout_ms, CALL_TIMEOUT_MS_MAX)


def visitor_options(settings: Settings) -> dict[str, Any]:
    """What a visitor's client is given."""
    # One answer may take as long as the whole start, but for what is left to say which answer it was that did not come.
    return connection_options(settings) | {"request_timeout_ms": max(100, call_timeout_ms(settings) - 500)}


async def start_visitor(make: Callable[[], Client], settings: Settings, *topics: str) -> Client:
    """Start a client that uses *topics*.

    Raises:
        CannotConnect: Brokers, credentials or topics cannot be used.
    """
    try:
        return await start_client(make, timeout_ms=call_timeout_ms(settings))
    except CannotConnect as error:
        if isinstance(error.__cause__, UnknownTopicOrPartitionError):
            raise no_topic(*topics) from error
        if advice(error):
            raise
        raise CannotConnect(
            f"{error}; is a broker at {settings.bootstrap_servers}? Say where by --bootstrap-servers"
        ) from error


def no_topic(*topics: str) -> CannotConnect:
    """What to say where *topics* are not all there."""
    return CannotConnect(f"no such topic: {' or '.join(topics)}; `batchsum topics create` makes them")
