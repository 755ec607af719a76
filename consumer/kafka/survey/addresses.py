"""Addresses of brokers, and why one cannot be used."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn

from config.settings import Settings
from consumer.kafka.client import connection_options, describe

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
        connection = await create_conn(address.host, address.port, **options)
    try:
        yield connection
    finally:
        if closed := connection.close():
            await closed


def trouble(error: BaseException, settings: Settings) -> Trouble:
    """What *error* means for whoever has to mend it."""
    protocol = settings.security_protocol
    match error:
        case socket.gaierror():
            return Trouble("its name is not known here", "mend the name, or the name service of this machine")
        case ConnectionRefusedError():
            return Trouble("nothing listens there", "start the broker, or mend the address")
        case ssl.SSLCertVerificationError():
            return Trouble(
                f"its certificate is not trusted: {error.verify_message}",
                "name the authority that signed it in ssl_cafile, and the broker as its certificate does",
            )
        case ssl.SSLError():
            return Trouble(
                f"TLS does not come about: {error.reason or describe(error)}",
                f"security_protocol is {protocol}: set what this listener speaks",
            )
        case errors.AuthenticationFailedError() | errors.SaslAuthenticationFailed():
            return Trouble(f"credentials are refused: {describe(error)}", "mend sasl_username and sasl_password")
        case errors.UnsupportedSaslMechanismError() | errors.IllegalSaslStateError():
            return Trouble(f"it does not take these credentials: {describe(error)}", "mend sasl_mechanism")
        case TimeoutError():
            return Trouble("it does not answer", "look for a firewall in between, and whether the broker is alive")
        case NotImplementedError() | errors.IncompatibleBrokerVersion():
            return Trouble("it is older than Kafka 2.3", "upgrade it")
        case errors.KafkaConnectionError() | ConnectionError():
            return Trouble(
                "it hangs up", f"security_protocol is {protocol}: set what this listener speaks, and is it Kafka?"
            )
        case _:
            return Trouble(describe(error), "look into the broker's log")
