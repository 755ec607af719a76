"""Addresses of brokers, and why one cannot be used."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, collect_hosts

from config.settings import Settings
from consumer.kafka.client import connection_options, describe
from consumer.kafka.connections import connect

ANSWER_TIMEOUT_MS = 5_000

UNUSABLE = (errors.KafkaError, OSError, TimeoutError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something cannot be used, and how to mend that."""

    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is said to be; `trouble` where it cannot be used."""

    host: str
    port: int
    trouble: Trouble | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def addresses(settings: Settings) -> list[Address]:
    """Those that the settings name, in their order."""
    return [Address(host, port) for host, port, _ in collect_hosts(settings.bootstrap_servers, randomize=False)]


@asynccontextmanager
async def connected(settings: Settings, address: Address) -> AsyncIterator[AIOKafkaConnection]:
    """A connection to the broker at *address*, closed at the end.

    Raises:
        KafkaError, OSError, TimeoutError: It cannot be used; `trouble` has words for it.
    """
    options: dict[str, Any] = connection_options(settings)
    del options["bootstrap_servers"]
    options["request_timeout_ms"] = min(ANSWER_TIMEOUT_MS, settings.connect_timeout_ms)
    async with asyncio.timeout(options["request_timeout_ms"] / 1000):
        connection: AIOKafkaConnection = await connect(address.host, address.port, **options)
    try:
        yield connection
    finally:
        if closed := connection.close():
            await closed


def trouble(error: BaseException, settings: Settings) -> Trouble:
    """What *error* means for whoever has to mend it."""
    what, mend = next((words for kinds, *words in _TROUBLES if isinstance(error, kinds)), _UNKNOWN)
    detail = getattr(error, "verify_message", None) or getattr(error, "reason", None) or describe(error)
    return Trouble(what.format(detail), mend.format(settings.security_protocol))


# The more special kind of error first.
_TROUBLES: tuple[tuple[Any, str, str], ...] = (
    (socket.gaierror, "its name is not known here", "mend the name, or the name service of this machine"),
    (ConnectionRefusedError, "nothing listens there", "start the broker, or mend the address"),
    (
        ssl.SSLCertVerificationError,
        "its certificate is not trusted: {}",
        "name the authority that signed it in ssl_cafile, and the broker as its certificate does",
    ),
    (ssl.SSLError, "TLS does not come about: {}", "security_protocol is {}: set what this listener speaks"),
    (
        (errors.AuthenticationFailedError, errors.SaslAuthenticationFailed),
        "credentials are refused: {}",
        "mend sasl_username and sasl_password",
    ),
    (
        (errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError),
        "it does not take such credentials: {}",
        "mend sasl_mechanism",
    ),
    (TimeoutError, "it does not answer", "look for a firewall in between, and whether the broker is alive"),
    ((NotImplementedError, errors.IncompatibleBrokerVersion), "it is older than Kafka 2.3", "upgrade it"),
    (
        (errors.KafkaConnectionError, ConnectionError),
        "it hangs up",
        "security_protocol is {}: set what this listener speaks, and see whether it is Kafka",
    ),
)
_UNKNOWN = ("it cannot be used: {}", "look into the log of the broker")
