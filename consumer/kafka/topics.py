"""Creating the topics of an instance, and removing those that were for a moment."""

import asyncio
import time
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoBrokersAvailable, TopicAlreadyExistsError, for_code

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka.client import connection_options, describe
from consumer.kafka.security import advice

# A request as large as brokers take by default must fit with the headers that say why it failed. And it is kept until
# somebody deletes it: retention would count from the request's own timestamp, and could take a dead letter away at once.
DEAD_LETTER_CONFIGS = {"max.message.bytes": str(1_048_588 + 256 * 1024), "retention.ms": "-1"}

RETRY_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the instance, and whether it was made just now."""

    name: str
    partitions: int
    created: bool


async def create_topics(settings: Settings, *, partitions: int, replication: int) -> list[Topic]:
    """Make those of the three topics that are not there; leave the others as they are.

    Raises:
        CannotConnect: the brokers cannot be reached, or refuse to make a topic.
    """
    admin = await _connect(settings)
    try:
        wanted = {
            settings.request_topic: NewTopic(settings.request_topic, partitions, replication),
            settings.result_topic: NewTopic(settings.result_topic, partitions, replication),
            settings.dead_letter_topic: NewTopic(
                settings.dead_letter_topic,
                partitions,
                replication,
                topic_configs=DEAD_LETTER_CONFIGS,
            ),
        }
        response = await admin.create_topics(list(wanted.values()))
        existing = await _existing(admin, response.topic_errors)
        return [Topic(name, existing.get(name, partitions), created=name not in existing) for name in wanted]
    except (KafkaError, OSError) as error:
        raise CannotConnect(f"topics cannot be created: {describe(error)}") from error
    finally:
        await admin.close()


async def delete_topics(settings: Settings, *topics: str) -> None:
    """Remove *topics* with all that is in them.

    Raises:
        CannotConnect: the brokers cannot be reached, or refuse to remove a topic.
    """
    admin = await _connect(settings)
    try:
        response = await admin.delete_topics(list(topics))
    except (KafkaError, OSError) as error:
        raise CannotConnect(f"topics {', '.join(topics)} are left behind: {describe(error)}") from error
    finally:
        await admin.close()
    if left := [f"{name} ({for_code(code).__name__})" for name, code in response.topic_error_codes if code]:
        raise CannotConnect(f"topics are left behind: {', '.join(left)}")


async def _existing(admin: AIOKafkaAdminClient, outcomes: list[tuple[str, int, str | None]]) -> dict[str, int]:
    """Return the partitions of those topics that were there already.

    The client does not raise what is wrong with a single topic: it is in the response alone.
    """
    existing = []
    for name, code, message in outcomes:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            existing.append(name)
        elif code:
            raise CannotConnect(f"topic {name} cannot be created: {message or error.__name__}")
    described = await admin.describe_topics(existing) if existing else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def _connect(settings: Settings) -> AIOKafkaAdminClient:
    """Return a client that is started, trying for as long as `settings` say: the brokers may just be starting too."""
    deadline = time.monotonic() + settings.connect_timeout_ms / 1000
    while True:
        admin = AIOKafkaAdminClient(**connection_options(settings))
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                await _start(admin)
        except (KafkaError, OSError, TimeoutError) as error:
            await admin.close()
            if time.monotonic() + RETRY_WAIT_S > deadline:
                hint = f"; is a broker at {settings.bootstrap_servers}? Say where by --bootstrap-servers"
                raise CannotConnect(
                    f"Kafka cannot be used: {describe(error)}{'' if advice(error) else hint}"
                ) from error
            await asyncio.sleep(RETRY_WAIT_S)
        else:
            return admin


async def _start(admin: AIOKafkaAdminClient) -> None:
    await admin.start()
    if admin._client.cluster.controller is None:  # the client would stumble over it; a new one asks again
        raise NoBrokersAvailable("no broker is in charge of topics; the embedded one makes them when used")
