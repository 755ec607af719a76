"""The other side of the contract: a caller, who sends requests and reads what became of them."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from config.settings import Settings
from consumer.chunk import Record
from consumer.failures import CannotConnect, Failure
from consumer.kafka.client import describe, stop_client
from consumer.kafka.visitor import (
    CALL_TIMEOUT_MS_MAX,
    STOP_TIMEOUT_S,
    call_timeout_ms,
    no_topic,
    start_visitor,
    visitor_options,
)

REQUEST_BYTES_MAX = 64 * 1024 * 1024  # the topic's own limit is the one that counts, and the broker holds it
IN_FLIGHT_MAX = 5_000
LINGER_MS = 5
POLL_TIMEOUT_MS = 200

_Sent = asyncio.Future[RecordMetadata]


class RequestRefused(Failure):
    """The broker does not take a request."""

    exit_code: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class Request:
    """What becomes one record of the request topic, bit for bit."""

    value: bytes | None
    key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer or a dead letter. `source` names its request: `topic/partition/offset`."""

    source: str
    value: bytes | None
    key: bytes | None
    partition: int
    offset: int
    headers: dict[str, str]

    @property
    def reason(self) -> str | None:
        """The code of a dead letter; None for an answer."""
        return self.headers.get("dlq.reason")


class Outcomes:
    """Reads answers and dead letters, without a group: it disturbs nobody and remembers nothing."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        """Read with a client that is started."""
        self._consumer = consumer

    async def read(self) -> list[Outcome]:
        """Return what has come in; nothing, if nothing does for a moment."""
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_TIMEOUT_MS)
        except KafkaError as error:
            raise CannotConnect(f"cannot read outcomes: {describe(error)}") from error
        return [_outcome(place.partition, record) for place, records in fetched.items() for record in records]

    async def ends(self) -> dict[Any, int]:
        """Return where each partition ends at this moment, for `reached`."""
        ends: dict[Any, int] = await self._consumer.end_offsets(self._consumer.assignment())
        return ends

    async def reached(self, ends: dict[Any, int]) -> bool:
        """Return whether everything before `ends` has been read."""
        return all([await self._consumer.position(partition) >= end for partition, end in ends.items()])


@asynccontextmanager
async def reading(
    settings: Settings, *topics: str, start: Literal["earliest", "latest"] = "latest"
) -> AsyncIterator[Outcomes]:
    """Open a reader of outcomes; with `latest` it returns everything written from this call on.

    Raises:
        CannotConnect: brokers, credentials or topics cannot be used.
    """

    def make() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            *topics,
            **visitor_options(settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset=start,
            isolation_level="read_committed",
        )

    consumer = await start_visitor(make, settings, *topics)
    try:
        for partition in consumer.assignment():  # asks where to begin now, rather than at the first read
            async with asyncio.timeout(CALL_TIMEOUT_MS_MAX / 1000):
                await consumer.position(partition)
        yield Outcomes(consumer)
    finally:
        await stop_client(consumer, timeout_s=STOP_TIMEOUT_S)


class Submitter:
    """Sends requests, many in flight at once."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        """Send to `topic` with a client that is started."""
        self._producer = producer
        self._topic = topic

    async def submit(self, requests: AsyncIterable[Request]) -> AsyncIterator[str]:
        """Send `requests`, and yield the source of each, in their order, once the brokers have it.

        Raises:
            RequestRefused: the broker does not take one. Those before it are sent; some after it may be.
        """
        in_flight: asyncio.Queue[_Sent | Exception | None] = asyncio.Queue(IN_FLIGHT_MAX)

        async def send_all() -> None:
            number = 0
            try:
                async for request in requests:
                    number += 1
                    await in_flight.put(await self._send(request, number=number))
            except Exception as error:  # noqa: BLE001 - it is raised where the sources are waited for
                await in_flight.put(error)
            else:
                await in_flight.put(None)

        # Beside the acknowledgements: where requests come from, the next one may be a long time coming.
        sending = asyncio.create_task(send_all())
        number = 0
        try:
            while (sent := await in_flight.get()) is not None:
                if isinstance(sent, Exception):
                    raise sent
                number += 1
                yield await _source(sent, number=number)
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    async def _send(self, request: Request, *, number: int) -> _Sent:
        try:
            sent: _Sent = await self._producer.send(self._topic, request.value, request.key)
        except KafkaError as error:
            raise _refused(error, number) from error
        return sent


@asynccontextmanager
async def submitting(settings: Settings) -> AsyncIterator[Submitter]:
    """Open a sender of requests.

    Raises:
        CannotConnect: brokers, credentials or the topic cannot be used.
    """

    def make() -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **visitor_options(settings),
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            max_batch_size=settings.publish_batch_bytes_max,
            max_request_size=REQUEST_BYTES_MAX,
        )

    producer = await start_visitor(make, settings, settings.request_topic)
    try:
        try:
            async with asyncio.timeout(call_timeout_ms(settings) / 1000):
                await producer.partitions_for(settings.request_topic)
        except (KafkaError, TimeoutError) as error:
            raise no_topic(settings.request_topic) from error
        yield Submitter(producer, settings.request_topic)
    finally:
        await stop_client(producer, timeout_s=STOP_TIMEOUT_S)


async def _source(sent: _Sent, *, number: int) -> str:
    try:
        metadata = await sent
    except KafkaError as error:
        raise _refused(error, number) from error
    return f"{metadata.topic}/{metadata.partition}/{metadata.offset}"


def _refused(error: KafkaError, number: int) -> RequestRefused:
    reason = "larger than its topic allows" if isinstance(error, MessageSizeTooLargeError) else describe(error)
    return RequestRefused(f"request {number} was not taken: {reason}; those before it were")


def _outcome(partition: int, record: Record) -> Outcome:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    letter = [headers.get(f"dlq.{part}", "") for part in ("topic", "partition", "offset")]
    return Outcome(
        source="/".join(letter) if all(letter) else headers.get("source", ""),
        value=record.value,
        key=record.key,
        partition=partition,
        offset=record.offset,
        headers=headers,
    )
