"""How long a connection waits for an answer."""

import asyncio

import pytest
from aiokafka import conn

from consumer.kafka import client  # noqa: F401 - it installs what is tested here

LONG_S = 30.0


async def test_an_answer_in_time_is_handed_on() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.set_result, "it")
    assert await conn.wait_for(answer, LONG_S) == "it"


async def test_an_error_is_handed_on_as_it_is() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.set_exception, OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        await conn.wait_for(answer, LONG_S)


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        await conn.wait_for(asyncio.get_running_loop().create_future(), 0.01)


async def test_a_wait_that_is_cancelled_cancels_what_it_waits_for() -> None:
    """The connection knows by that that nobody wants the answer any more."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(conn.wait_for(answer, LONG_S))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert answer.cancelled()
