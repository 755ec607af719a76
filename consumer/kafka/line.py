"""The way to one broker, for record batches that are made already."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, NoError, for_code
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.produce import ProduceRequest

from consumer.kafka.sealed import Sealed

ALL_REPLICAS = -1


class Waiting(NamedTuple):
    """A batch that is to leave, and whoever waits for its acknowledgement."""

    place: TopicPartition
    sealed: Sealed
    acknowledged: "asyncio.Future[None]"


class Line:
    """One request is on its way at a time; what comes meanwhile, of whichever partitions, leaves together in the next.

    A broker takes the requests of a connection one by one, and answers each when all replicas have it. A request for
    each partition would wait for all those before it.
    """

    def __init__(self, client: AIOKafkaClient, node: int, numbers: TransactionManager, *, timeout_ms: int) -> None:
        """To the broker *node*. *numbers* has the producer's id, and counts the records that it has sent to each partition."""
        self._client = client
        self._node = node
        self._numbers = numbers
        self._timeout_ms = timeout_ms
        self._waiting: list[Waiting] = []
        self._leaving: list[Waiting] = []
        self._sending: asyncio.Task[None] | None = None

    def send(self, place: TopicPartition, sealed: Sealed) -> "asyncio.Future[None]":
        """Send a batch of *place*, of which no other may be waiting; who cancels this before it has left has not sent it.

        Raises:
            KafkaError: It is refused, or its fate unknown.
        """
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(place, sealed, acknowledged))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return acknowledged

    def end(self) -> None:
        """Give up what has not arrived yet."""
        if self._sending is not None:
            self._sending.cancel()
        for waiting in [*self._leaving, *self._waiting]:
            _settle(waiting.acknowledged, KafkaError("the producer was stopped"))

    async def _send_all(self) -> None:
        while leaving := self._next():
            try:
                response = await self._client.send(self._node, self._request(leaving))
                codes = {
                    (topic, partition): code for topic, answers in response.topics for partition, code, *_ in answers
                }
                outcomes = [for_code(codes[waiting.place])() for waiting in leaving]
            except Exception as error:  # noqa: BLE001 - T19: also what is not Kafka's own is an answer to those who wait
                outcomes = [_failure(error) for _ in leaving]
            for waiting, outcome in zip(leaving, outcomes, strict=True):
                _settle(waiting.acknowledged, outcome)
        self._sending = None

    def _next(self) -> list[Waiting]:
        """Those that leave now, each under the number that it has from now on."""
        self._leaving = [waiting for waiting in self._waiting if not waiting.acknowledged.done()]
        self._waiting = []
        for place, sealed, _ in self._leaving:
            if not sealed.is_numbered:
                number = self._numbers.sequence_number(place)
                self._numbers.increment_sequence_number(place, sealed.record_count())
                sealed._set_producer_state(self._numbers.producer_id, self._numbers.producer_epoch, number)
        return self._leaving

    def _request(self, leaving: Sequence[Waiting]) -> ProduceRequest:
        topics: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
        for place, sealed, _ in leaving:
            topics[place.topic].append((place.partition, sealed._build()))
        return ProduceRequest(
            transactional_id=None, required_acks=ALL_REPLICAS, timeout=self._timeout_ms, topics=[*topics.items()]
        )


def _failure(error: Exception) -> KafkaError:
    """*error* as Kafka's; each who waits has one of his own, for it will bear his traceback."""
    return type(error)(*error.args) if isinstance(error, KafkaError) else KafkaError(f"cannot be sent: {error!r}")


def _settle(acknowledged: "asyncio.Future[None]", outcome: Exception) -> None:
    if acknowledged.done():
        return  # it has been given up
    if isinstance(outcome, NoError):
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(outcome)
