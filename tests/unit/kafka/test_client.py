"""Clients are started in bounded time, and leave nothing behind however badly they stop."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka import client as module
from consumer.kafka.client import connection_options, start_client, stop_client
from consumer.kafka.publisher import Publisher
from consumer.kafka.source import Source
from tests.support.kafka import nothing_left_behind
from tests.support.waiting import wait_until
from tests.unit.kafka.fakes import FakeLanes


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_WAIT_S", 0.1)


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def silence() -> Iterator[str]:
    """An address where somebody listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


class StubbornClient:
    """Starts at the given try, and stops as badly as a consumer and a producer can."""

    tries = 0

    def __init__(self, *, starts_at_try: int = 1, stop: BaseException | None = None) -> None:
        type(self).tries += 1
        self._is_late = self.tries < starts_at_try
        self._stop = stop
        self.is_stopped = False

    async def start(self) -> None:
        if self._is_late:
            raise KafkaConnectionError("nobody there")

    async def stop(self) -> None:
        self.is_stopped = True
        if self._stop is not None:
            raise self._stop


@pytest.mark.parametrize("address", ["nowhere", "silence"])
async def test_without_a_broker_the_start_is_given_up_in_time(address: str, request: pytest.FixtureRequest) -> None:
    """T17: aiokafka tries each address once, and waits a whole request timeout for a broker that says nothing."""
    settings = Settings(bootstrap_servers=request.getfixturevalue(address), connect_timeout_ms=300)
    before = time.monotonic()
    for starting in (
        Publisher(settings, "results", holds_too_large=False).start(),
        Source(settings, FakeLanes()).start(),
    ):
        async with nothing_left_behind():
            with pytest.raises(CannotConnect, match="no broker can be used"):
                await asyncio.wait_for(starting, 5)
    assert time.monotonic() - before < 3


async def test_a_broker_that_comes_late_is_found_by_a_new_client() -> None:
    """T17: a client whose start has failed keeps tasks and sockets, so it is stopped and not started again."""
    made: list[StubbornClient] = []

    class Late(StubbornClient):
        tries = 0

        def __init__(self) -> None:
            super().__init__(starts_at_try=3)
            made.append(self)

    assert await start_client(Late, timeout_ms=5_000) is made[2]
    assert [client.is_stopped for client in made] == [True, True, False]


async def test_a_client_whose_start_is_cancelled_is_stopped(silence: str) -> None:
    """T17 and T18."""
    made: list[AIOKafkaProducer] = []

    def make() -> AIOKafkaProducer:
        made.append(AIOKafkaProducer(**connection_options(Settings(bootstrap_servers=silence))))
        return made[-1]

    async with nothing_left_behind():
        starting = asyncio.create_task(start_client(make, timeout_ms=60_000))
        await wait_until(lambda: made)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert made[0]._closed


class Connections:
    """The inner part of a client, which has the sockets."""

    def __init__(self) -> None:
        self.are_closed = False

    async def close(self) -> None:
        self.are_closed = True


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """Those of every client of the test; none has background tasks, for all that it knows of."""
    connections = Connections()
    monkeypatch.setattr(module, "_inner", lambda _: connections)
    monkeypatch.setattr(module, "background_tasks", lambda _: {})
    return connections


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KafkaError("?")])
async def test_an_error_out_of_a_stop_neither_cancels_us_nor_leaves_sockets_open(
    connections: Connections, error: BaseException
) -> None:
    """T18: a consumer's stop raises a stray CancelledError when its fetcher was waiting to try again."""
    await stop_client(StubbornClient(stop=error), timeout_s=1)
    assert connections.are_closed


async def test_a_task_that_waits_for_others_when_it_is_cancelled_is_cancelled_again(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T18: as a producer's sender does, whose requests may never be answered."""

    async def send() -> None:
        forever = asyncio.get_running_loop().create_future()
        try:
            await asyncio.shield(forever)
        except asyncio.CancelledError:
            await forever

    async with nothing_left_behind():
        sending = asyncio.create_task(send())
        await asyncio.sleep(0)
        monkeypatch.setattr(module, "background_tasks", lambda _: {"sender": sending})
        await asyncio.wait_for(stop_client(StubbornClient(stop=KafkaError("?")), timeout_s=0.1), 5)
    assert connections.are_closed
