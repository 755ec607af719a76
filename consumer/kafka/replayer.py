"""Writing requests again: each run of them, and how far it has come, in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced

from config.settings import Settings
from consumer.failures import Stalled
from consumer.kafka.client import describe, stop_client
from consumer.kafka.producer import Producer, packing
from consumer.kafka.transaction import abort
from consumer.kafka.visitor import STOP_TIMEOUT_S, start_visitor
from consumer.wire.packing import Message, encode


class TooLarge(Exception):
    """The request topic refuses a batch of requests; none of them is written."""


class Replayer:
    """The one writer of a replay: whoever starts another by the same name fences this one, and ends what it had begun.

    The name is that of a consumer group, too, which has the position: committed with the requests or not at all, it is
    never ahead of them and never behind.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._make = partial(Producer, settings, name)
        self._producer: Producer

    async def start(self) -> None:
        """Connect; only now is the position of the group the truth.

        Raises:
            CannotConnect: The brokers cannot be used.
        """
        self._producer = await start_visitor(self._make, self._settings, self._settings.request_topic)

    async def write(self, requests: Sequence[tuple[int, Message]], position: Mapping[tuple[str, int], int]) -> None:
        """Write *requests*, each to its partition modulo the topic's number of them, and commit *position*; or nothing.

        Raises:
            TooLarge: The topic refuses them.
            Stalled: It did not work, or nobody knows whether it did; the position tells.
        """
        by_partition: dict[int, list[Message]] = defaultdict(list)
        for partition, message in requests:
            by_partition[partition].append(message)
        producer = self._producer
        try:
            async with asyncio.timeout(self._settings.publish_timeout_ms / 1000):
                await producer.begin_transaction()
                for partition, messages in by_partition.items():
                    batches = encode(messages, packing(self._settings))
                    await producer.append(self._settings.request_topic, partition, batches)
                if position:
                    offsets = {TopicPartition(*at): offset for at, offset in position.items()}
                    await producer.send_offsets_to_transaction(offsets, self._name)
                await producer.commit_transaction()
        except MessageSizeTooLargeError as error:
            await self.stop()
            await self.start()  # T14: the sequence numbers of the old one have a hole now
            raise TooLarge from error
        except ProducerFenced as error:
            raise Stalled("another replay of the same letters has been started, and goes on from here") from error
        except (KafkaError, TimeoutError, AssertionError) as error:  # illegal states are told by assertions
            raise Stalled(f"{self._settings.request_topic} cannot be written: {describe(error)}") from error

    async def stop(self) -> None:
        """Abort what has been begun, and disconnect."""
        await abort(self._producer)
        await stop_client(self._producer, timeout_s=STOP_TIMEOUT_S)


@asynccontextmanager
async def replaying(settings: Settings, name: str) -> AsyncIterator[Replayer]:
    """Open a replay by that name.

    Raises:
        CannotConnect: The brokers cannot be used.
    """
    replayer = Replayer(settings, name)
    await replayer.start()
    try:
        yield replayer
    finally:
        await replayer.stop()
