"""The embedded broker: librdkafka's mock cluster, inside this process, for a first run and for quick tests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import ClassVar

from consumer.failures import CannotConnect, Failure

HOST = "localhost"
PORT = 9092

LIMITS = (
    "The embedded broker keeps a few MB per partition, in memory, until this process ends. Topics come into being when\n"
    "they are used, with 4 partitions; there are no admin requests and no fencing. It is for trying things out."
)

_START_TIMEOUT_S = 10
_FORWARDED_BYTES_MAX = 64 * 1024


class EmbeddedBrokerMissing(Failure):
    """The optional dependency that brings the embedded broker is not installed."""

    exit_code: ClassVar[int] = 2


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Run a broker in this process for as long as the context lasts; its address, on a free port, is the value.

    Raises:
        EmbeddedBrokerMissing: the extra `embedded` is not installed.
    """
    try:
        from confluent_kafka import Producer  # noqa: PLC0415 - optional, and nobody else needs it
    except ImportError as error:
        raise EmbeddedBrokerMissing(
            "the embedded broker needs confluent-kafka: pip install 'batchsum[embedded]'"
        ) from error
    cluster = Producer({"bootstrap.servers": HOST, "test.mock.num.brokers": 1, "log_level": 0})
    try:
        broker = next(iter(cluster.list_topics(timeout=_START_TIMEOUT_S).brokers.values()))
        yield f"{broker.host}:{broker.port}"
    finally:
        del cluster  # it runs for as long as the object lives


@asynccontextmanager
async def forwarded(address: str, *, host: str = HOST, port: int = PORT) -> AsyncIterator[str]:
    """Make the broker at `address` reachable at `host:port` too, where clients look for one first.

    The broker names its own address to whoever asks, so what is forwarded is each client's first connection.

    Raises:
        CannotConnect: something else listens there already.
    """
    broker_host, _, broker_port = address.rpartition(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(broker_host, int(broker_port))
        await asyncio.gather(_copy(reader, back_writer), _copy(back_reader, writer))

    try:
        server = await asyncio.start_server(forward, host, port)
    except OSError as error:
        raise CannotConnect(
            f"{host}:{port} is taken: stop the broker that runs there, or use it, without --embedded"
        ) from error
    try:
        yield f"{host}:{port}"
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one side closes; then close the other one."""
    try:
        while data := await reader.read(_FORWARDED_BYTES_MAX):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the side that has gone needs no more bytes
    finally:
        writer.close()
