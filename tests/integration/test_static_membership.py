"""Members that have a lasting name in their group (`group_instance_id`), on a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from confluent_kafka.cimpl import NewPartitions

from consumer.failures import Replaced
from tests.support.brokers import Broker, Topics
from tests.support.brokers.topics import administrator
from tests.support.kafka import produce, settings_for
from tests.support.members import Member, member
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_broker("it does not know members by a lasting name")

PARTITIONS = 4


class Place:
    """Where one member after another stands, each with the same settings."""

    def __init__(self, broker: Broker, topics: Topics, **others: object) -> None:
        self._settings = settings_for(broker, topics, **others)
        self._stack = AsyncExitStack()
        self.member: Member

    async def take(self) -> None:
        self.member = await self._stack.enter_async_context(member(self._settings))

    async def give_up(self) -> None:
        await self._stack.aclose()

    async def restart(self) -> None:
        await self.give_up()
        await self.take()

    @property
    def partitions(self) -> list[int]:
        return sorted(partition.partition for partition in self.member.source.partitions)

    @property
    def generation(self) -> int:
        return int(self.coordinator.generation)

    @property
    def coordinator(self) -> Any:
        """aiokafka's own."""
        return self.member.source._consumer._coordinator


async def settled(*places: Place, partitions: int = PARTITIONS) -> None:
    """Return when all *places* have their share, in the same generation."""

    def shared() -> bool:
        taken = sorted(partition for place in places for partition in place.partitions)
        return taken == [*range(partitions)] and all(place.partitions for place in places)

    await wait_until(lambda: shared() and len({place.generation for place in places}) == 1)


class Group:
    """The members of one group, and the topic that they share."""

    def __init__(self, broker: Broker, topics: Topics) -> None:
        self.broker = broker
        self.topics = topics
        self.places: list[Place] = []

    async def of(self, *names: str | None) -> list[Place]:
        """One member after another has joined, under these names, and all have their share."""
        joined = [Place(self.broker, self.topics, group_instance_id=name) for name in names]
        self.places += joined
        for place in joined:
            await place.take()
        await settled(*joined)
        return joined

    async def deliver(self, places: list[Place], *, partitions: int = PARTITIONS) -> None:
        """Have a record of each partition delivered by whoever has it, and by nobody else."""
        before = {place: len(place.member.delivered) for place in places}
        for partition in range(partitions):
            await produce(self.broker, self.topics.request_topic, [b"1"], partition=partition)

        def delivered() -> bool:
            return all(len(place.member.delivered) == before[place] + len(place.partitions) for place in places)

        await wait_until(delivered)


async def heartbeat_that_is_not_sent() -> bool:
    return True


async def watched(place: Place) -> None:
    """Look as the watchdog does, until there is something to see."""
    async with asyncio.timeout(30):
        while True:
            place.member.source.check()
            await asyncio.sleep(0.1)


@pytest.fixture
async def group(broker: Broker, topics: Topics) -> AsyncIterator[Group]:
    group = Group(broker, topics)
    yield group
    await asyncio.gather(*(place.give_up() for place in group.places))


@pytest.mark.parametrize("restarted", [0, 1], ids=["the leader", "another one"])
async def test_a_member_with_a_name_restarts_and_the_others_do_not_notice(group: Group, restarted: int) -> None:
    places = await group.of("first", "second")
    other, had, generation = places[1 - restarted], places[restarted].partitions, places[0].generation
    rebalances = other.member.source.rebalances

    await places[restarted].restart()
    await settled(*places)
    await group.deliver(places)
    assert places[restarted].partitions == had
    assert other.member.source.rebalances == rebalances
    assert {place.generation for place in places} == {generation}


async def test_without_a_name_they_do(group: Group) -> None:
    places = await group.of(None, None)
    rebalances = places[0].member.source.rebalances

    await places[1].restart()
    await settled(*places)
    assert places[0].member.source.rebalances > rebalances


async def test_who_does_not_come_back_in_time_is_given_up_by_the_others(group: Group) -> None:
    places = await group.of("first", "second")
    await places[1].give_up()
    assert len(places[0].partitions) < PARTITIONS  # it has not left: the group waits for it
    await settled(places[0])


async def test_new_partitions_are_noticed_also_after_the_leader_has_restarted(group: Group) -> None:
    """T29: the broker does not tell it that it still leads."""
    places = await group.of("first", "second")
    await places[0].restart()
    await settled(*places)

    admin, topic = administrator(group.broker.bootstrap_servers), group.topics.request_topic
    admin.create_partitions([NewPartitions(topic, PARTITIONS + 2)])[topic].result(timeout=20)
    await settled(*places, partitions=PARTITIONS + 2)
    await group.deliver(places, partitions=PARTITIONS + 2)


async def test_of_two_with_one_name_the_elder_gives_way(group: Group) -> None:
    """T28: or they would take the place from each other for ever."""
    (elder,) = await group.of("same")
    (younger,) = await group.of("same")
    with pytest.raises(Replaced, match="as same"):
        await watched(elder)
    rebalances = younger.member.source.rebalances
    await elder.give_up()
    await group.deliver([younger])
    assert younger.member.source.rebalances == rebalances


async def test_who_was_silent_for_longer_than_a_session_joins_anew(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T28: it asks whether it was replaced, but nobody has its place."""
    silent, other = await group.of("first", "second")
    with monkeypatch.context() as silence:
        silence.setattr(silent.coordinator, "_do_heartbeat", heartbeat_that_is_not_sent)
        await wait_until(lambda: len(other.partitions) == PARTITIONS)
    await settled(silent, other)
    silent.member.source.check()
    await group.deliver([silent, other])
