"""What workers are asked for, and what is sent for it."""

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from consumer.board import NOWHERE
from consumer.desk import WorkersLost
from consumer.workers import Workers


class Doubled:
    """A function that counts how often it is sent somewhere."""

    sent = 0

    def __call__(self, number: int) -> int:
        return 2 * number

    def __reduce__(self) -> tuple[Callable[[], "Doubled"], tuple[Any, ...]]:
        Doubled.sent += 1
        return Doubled, ()


@pytest.mark.parametrize(("is_known", "sent"), [(True, 1), (False, 3)])
async def test_a_function_that_workers_know_is_sent_once_and_any_other_with_each_call(
    monkeypatch: pytest.MonkeyPatch, *, is_known: bool, sent: int
) -> None:
    monkeypatch.setattr(Doubled, "sent", 0)
    doubled = Doubled()
    workers = await Workers.start(
        1, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=30, known=[doubled] if is_known else []
    )
    try:
        answers = [await workers.run(NOWHERE, doubled, number) for number in (1, 2, 3)]
    finally:
        await workers.end()
    assert [answer.value for answer in answers] == [2, 4, 6]
    assert Doubled.sent == sent


async def test_answers_that_come_in_pieces_are_put_together_in_order() -> None:
    """A socket hands on some hundred kilobytes at once, and an answer that is not for a tray may have more."""
    sizes = [5_000_000, 3, 2_000_000, 1]
    workers = await Workers.start(1, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=30)
    try:
        answers = await asyncio.gather(*(workers.run(NOWHERE, bytes, size) for size in sizes))
    finally:
        await workers.end()
    assert [len(answer.value) for answer in answers] == sizes


class Unreadable:
    """What can be sent, but not be read."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return int, ("no number",)


async def test_an_answer_that_cannot_be_read_is_not_waited_for() -> None:
    workers = await Workers.start(1, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=30)
    try:
        with pytest.raises(WorkersLost):
            await workers.run(NOWHERE, Unreadable)
    finally:
        await workers.end()


async def test_a_call_that_waits_behind_another_has_its_whole_time_after_it() -> None:
    workers = await Workers.start(1, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=3)
    try:
        await asyncio.gather(*(workers.run(NOWHERE, time.sleep, 2) for _ in range(2)))
    finally:
        await workers.end()


async def test_a_worker_that_has_had_its_time_for_one_call_is_lost_for_the_next() -> None:
    workers = await Workers.start(1, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=0.2)
    try:
        failures = await asyncio.gather(
            *(workers.run(NOWHERE, time.sleep, 60) for _ in range(2)), return_exceptions=True
        )
        assert [type(failure) for failure in failures] == [TimeoutError, WorkersLost]
        with pytest.raises(WorkersLost):
            await workers.run(NOWHERE, abs, -1)
    finally:
        await workers.end()


async def test_what_cannot_be_sent_is_told_to_whoever_asks() -> None:
    workers = await Workers.start(1, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=30)
    try:
        with pytest.raises(TypeError, match="pickle"):
            await workers.run(NOWHERE, sum, (number for number in range(3)))
        assert (await workers.run(NOWHERE, abs, -1)).value == 1
    finally:
        await workers.end()


async def test_workers_that_end_while_others_start_are_told_how_they_ended() -> None:
    async def start_and_end() -> set[str]:
        told = set()
        for _ in range(25):
            workers = await Workers.start(2, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=30)
            await workers.end()
            told.add(workers.describe_exit())
        return told

    assert await asyncio.gather(*(start_and_end() for _ in range(3))) == [{"SIGKILL"}] * 3


async def test_a_start_that_is_given_up_halfway_leaves_no_error_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a worker that is reached, and not yet waited for; nobody would ask for it, and memory would be cleared of it aloud."""
    loop, told, reached = asyncio.get_running_loop(), list[dict[str, Any]](), asyncio.Event()
    connect = loop.create_connection

    async def reach_and_dawdle(*address: Any, **options: Any) -> None:
        await connect(*address, **options)
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(loop, "create_connection", reach_and_dawdle)
    loop.set_exception_handler(lambda _, context: told.append(context))
    starting = asyncio.create_task(
        Workers.start(1, tray_bytes=1 << 16, memory_bytes_max=0, timeout_s=30, call_timeout_s=30)
    )
    await reached.wait()
    starting.cancel()
    await asyncio.wait([starting])
    del starting
    gc.collect()
    assert told == []
