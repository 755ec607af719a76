"""Connections to Kafka: how clients are made, started, watched and stopped."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka import arrivals, connections, guards, inflow, outflow, schemas, sessions
from consumer.kafka.security import advice, security_options
from consumer.wire import compression

RETRY_WAIT_S = 1.0
TOPIC_WAIT_S = 5.0

guards.install()
arrivals.install()
connections.install()
inflow.install()
outflow.install()
schemas.install()
sessions.install()
compression.install()

log = structlog.get_logger(__name__)

Client = TypeVar("Client", AIOKafkaConsumer, AIOKafkaProducer)


def connection_options(settings: Settings) -> dict[str, Any]:
    """What every client of aiokafka is given: where the brokers are, and who is calling.

    Raises:
        CannotConnect: A certificate, key or secret cannot be read.
    """
    return security_options(settings) | {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.client_id,
        "request_timeout_ms": settings.request_timeout_ms,
    }


async def start_client(make: Callable[[], Client], *, timeout_ms: int) -> Client:
    """Make and start a client, again and again until it works or *timeout_ms* have passed (T17).

    A failed start leaves tasks and sockets behind, so every try has a client of its own, and ends by stopping it.

    Raises:
        CannotConnect: No broker could be used in time.
    """
    deadline = time.monotonic() + timeout_ms / 1000
    reason: Exception | None = None
    while True:
        client = make()
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                await client.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await stop_client(client, timeout_s=RETRY_WAIT_S)
            if reason is None or not isinstance(error, TimeoutError):
                reason = error  # a last try that was cut short has less to tell than the one before
            if time.monotonic() + RETRY_WAIT_S > deadline:
                raise CannotConnect(f"no broker can be used at {_addresses(client)}: {describe(reason)}") from reason
            log.warning("cannot connect, trying again", error=describe(error))
            await asyncio.sleep(RETRY_WAIT_S)
        except BaseException:
            await stop_client(client, timeout_s=RETRY_WAIT_S)
            raise
        else:
            return client


async def wait_for_topics(settings: Settings, *topics: str) -> None:
    """Return when *topics* are there; a broker that makes topics on first use is given the chance.

    Raises:
        CannotConnect: They were not there, or no broker could be used, within `connect_timeout_ms`.
    """
    deadline = time.monotonic() + settings.connect_timeout_ms / 1000
    options = connection_options(settings)
    asking = await start_client(lambda: AIOKafkaProducer(**options), timeout_ms=settings.connect_timeout_ms)
    try:
        for topic in topics:
            await _wait_for_topic(asking, topic, deadline)
    finally:
        await stop_client(asking, timeout_s=RETRY_WAIT_S)


async def _wait_for_topic(asking: AIOKafkaProducer, topic: str, deadline: float) -> None:
    while True:
        try:
            async with asyncio.timeout(TOPIC_WAIT_S):
                await asking.partitions_for(topic)
        except (KafkaError, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise CannotConnect(
                    f"topic {topic} cannot be used: {describe(error)}; `batchsum topics create` makes it"
                ) from error
            log.warning("topic is not there, waiting for it", topic=topic, error=describe(error))
        else:
            return


async def stop_client(client: AIOKafkaConsumer | AIOKafkaProducer, *, timeout_s: float) -> None:
    """Stop *client*, and see to it that its sockets are closed and its tasks ended (T18).

    A consumer's stop can raise a stray CancelledError and leave its sockets open; a producer's never ends while the
    brokers are away.
    """
    stopping = asyncio.ensure_future(client.stop())
    done, _ = await asyncio.wait([stopping], timeout=timeout_s)
    if done and not stopping.cancelled() and stopping.exception() is None:
        return
    log.warning("client did not stop cleanly", client=type(client).__name__, timed_out=not done)
    if isinstance(client, AIOKafkaProducer):
        client._message_accumulator.fail_all(KafkaError("the producer was stopped"))  # or its flush would wait for them
    ending = [stopping, *background_tasks(client).values()]
    for task in ending:
        task.cancel()
    ended = asyncio.gather(_inner(client).close(), *ending, return_exceptions=True)
    await asyncio.wait([ended], timeout=timeout_s)
    ended.cancel()  # a sender that was cancelled waits for its requests first, until it is cancelled again


def background_tasks(client: AIOKafkaConsumer | AIOKafkaProducer) -> dict[str, "asyncio.Task[None]"]:
    """The tasks without which *client* is dead; nothing else tells when one has ended (T19)."""
    if isinstance(client, AIOKafkaProducer):
        tasks = {"sender": client._sender.sender_task if client._sender else None}
    else:
        coordinator = client._coordinator
        tasks = {
            "fetcher": client._fetcher._fetch_task if client._fetcher else None,
            "coordinator": getattr(coordinator, "_coordination_task", None),
        }
    return {name: task for name, task in tasks.items() if task is not None}


def dead_tasks(client: AIOKafkaConsumer | AIOKafkaProducer) -> list[str]:
    """The names of those background tasks of *client* that have ended."""
    return [name for name, task in background_tasks(client).items() if task.done()]


def describe(error: BaseException) -> str:
    """*error* in one line, with what to look at where that is known; its type alone where it has nothing to say."""
    text, hint = str(error) or type(error).__name__, advice(error)
    return f"{text} ({hint})" if hint else text


def _addresses(client: AIOKafkaConsumer | AIOKafkaProducer) -> str:
    addresses = _inner(client)._bootstrap_servers
    return addresses if isinstance(addresses, str) else ",".join(addresses)


def _inner(client: AIOKafkaConsumer | AIOKafkaProducer) -> Any:
    return client._client if isinstance(client, AIOKafkaConsumer) else client.client
