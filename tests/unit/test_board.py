"""The board: what each worker says that it is at."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from consumer.board import Board, Place, Slot

# Not the context of the workers: its fork server preloads what the first one asks for, and no more.
CONTEXT = multiprocessing.get_context("spawn")

MakeBoard = Callable[[int], Board]

PLACE = Place(partition=3, first_offset=2**40, next_offset=2**40 + 500)


@pytest.fixture
def make_board() -> Iterator[MakeBoard]:
    """Boards that are closed behind the test."""
    with ExitStack() as boards:
        yield lambda workers: boards.enter_context(closing(Board(workers, CONTEXT)))


def test_a_worker_that_waits_is_at_nothing(make_board: MakeBoard) -> None:
    board = make_board(2)
    board.take()
    (state,) = board.read()
    assert state.place is None
    assert state.seconds == 0


def test_a_worker_that_works_says_at_what_and_for_how_long(make_board: MakeBoard) -> None:
    board = make_board(1)
    board.take().begin(PLACE, time.monotonic())
    (before,) = board.read()
    (after,) = board.read()
    assert before.place == after.place == PLACE
    assert 0 <= before.seconds <= after.seconds


def test_what_has_ended_is_off_the_board(make_board: MakeBoard) -> None:
    board = make_board(1)
    slot = board.take()
    slot.begin(PLACE, time.monotonic() - 5)
    slot.end()
    (state,) = board.read()
    assert state.place is None
    assert state.seconds == 0
    assert state.busy_s >= 5


def test_each_worker_has_a_slot_of_its_own(make_board: MakeBoard) -> None:
    board = make_board(2)
    first, second = board.take(), board.take()
    first.begin(PLACE, time.monotonic())
    second.begin(PLACE._replace(partition=4), time.monotonic())
    assert [state.place and state.place.partition for state in board.read()] == [3, 4]


async def test_what_another_process_writes_is_read_here(make_board: MakeBoard) -> None:
    board = make_board(1)
    process = CONTEXT.Process(target=_work, args=(board,))
    process.start()
    try:
        async with asyncio.timeout(30):
            while not any(state.place for state in board.read()):
                await asyncio.sleep(0.01)
        (state,) = board.read()
        assert (state.pid, state.place) == (process.pid, PLACE)
        async with asyncio.timeout(30):
            while os.pread(board.stacks.fileno(), 100, 0) != b"from another process":
                await asyncio.sleep(0.01)
    finally:
        process.kill()
        process.join()


def _work(board: Board) -> None:
    slot: Slot = board.take()
    slot.begin(PLACE, time.monotonic())
    board.stacks.write(b"from another process")
    time.sleep(60)
