"""The topics of a measurement are gone after it, whenever and however it ends."""

import asyncio

import pytest

from config.settings import Settings
from consumer.commands.bench import command
from consumer.commands.bench.command import Plan
from consumer.commands.bench.figures import Shape
from consumer.kafka.topics import Topic

PLAN = Plan(shape=Shape(lists=1, integers=1), seconds=1.0, embedded=False, partitions=1, replication=1, target=None)


class FakeTopics:
    """A broker's topics. They are made as soon as that is asked for, and reported so when `gate` opens."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()

    async def create(self, settings: Settings, *, partitions: int, replication: int) -> list[Topic]:
        names = (settings.request_topic, settings.result_topic, settings.dead_letter_topic)
        self.there |= {*names}
        self.asked.set()
        await self.gate.wait()
        return [Topic(name, partitions, created=True) for name in names]

    async def delete(self, _settings: Settings, *names: str) -> None:
        self.there -= {*names}


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> FakeTopics:
    topics = FakeTopics()
    monkeypatch.setattr(command, "create_topics", topics.create)
    monkeypatch.setattr(command, "delete_topics", topics.delete)
    return topics


async def measure() -> None:
    async with command._stage(Settings(), PLAN):
        await asyncio.get_running_loop().create_future()


async def test_who_interrupts_it_while_they_are_made_waits_for_them_and_removes_them(topics: FakeTopics) -> None:
    measuring = asyncio.create_task(measure())
    await topics.asked.wait()
    measuring.cancel()
    topics.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await measuring
    assert topics.there == set()
