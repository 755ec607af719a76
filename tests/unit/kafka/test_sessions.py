"""Fetch sessions: what a connection asks for, when the broker remembers what it has asked for before."""

from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v4, FetchResponse_v11

from consumer.kafka import client  # noqa: F401 - it installs what is tested here
from consumer.kafka.sessions import LAST_EPOCH, InSession, Session

V4, V11 = {1: (0, 4)}, {1: (0, 12)}
ID, ANOTHER_ID = 77, 78
FORGOTTEN, WRONG_EPOCH = 70, 71
BYTES = 1_000


def fetch(positions: dict[int, int], topic: str = "requests") -> FetchRequest:
    partitions = [(partition, offset, BYTES) for partition, offset in positions.items()]
    return FetchRequest(500, 1, 9_999, 1, [(topic, partitions)])


def answer(session_id: int = ID, error_code: int = 0) -> Any:
    return FetchResponse_v11(0, error_code, session_id, [])


async def exchange(session: Session, request: FetchRequest, answer: Any) -> Any:
    """What was asked for in words of the protocol, once it has been answered."""
    in_session = InSession(request, session)
    built = in_session.prepare(V11)

    async def answered() -> Any:
        return answer

    assert await in_session.answered(answered()) is answer
    return built


def told(request: Any) -> dict[int, int]:
    return {partition: offset for _, partitions in request.topics for partition, _, offset, _, _ in partitions}


def forgotten(request: Any) -> list[int]:
    return [partition for _, partitions in request.forgotten_topics_data for partition in partitions]


def place(request: Any) -> tuple[int, int]:
    return request.session_id, request.session_epoch


async def test_the_first_request_asks_for_a_session_and_for_everything() -> None:
    first = await exchange(Session(), fetch({0: 10, 1: 20}), answer())
    assert place(first) == (0, 0)
    assert told(first) == {0: 10, 1: 20}


async def test_after_that_only_what_has_changed_is_told() -> None:
    session = Session()
    await exchange(session, fetch({0: 10, 1: 20}), answer())
    moved = await exchange(session, fetch({0: 10, 1: 25}), answer())
    assert place(moved) == (ID, 1)
    assert told(moved) == {1: 25}
    assert forgotten(moved) == []
    unchanged = await exchange(session, fetch({0: 10, 1: 25}), answer())
    assert place(unchanged) == (ID, 2)
    assert unchanged.topics == []


async def test_what_is_not_asked_for_any_more_is_to_be_forgotten() -> None:
    session = Session()
    await exchange(session, fetch({0: 10, 1: 20}), answer())
    assert forgotten(await exchange(session, fetch({0: 10}), answer())) == [1]
    back = await exchange(session, fetch({0: 10, 1: 20}), answer())
    assert told(back) == {1: 20}
    assert forgotten(back) == []


async def test_partitions_are_told_apart_by_their_topics() -> None:
    session = Session()
    await exchange(session, fetch({0: 10}, "requests"), answer())
    other = await exchange(session, fetch({0: 10}, "others"), answer())
    assert [topic for topic, _ in other.topics] == ["others"]
    assert other.forgotten_topics_data == [("requests", [0])]


@pytest.mark.parametrize("code", [FORGOTTEN, WRONG_EPOCH])
async def test_an_error_ends_the_session_and_everything_is_told_again(code: int) -> None:
    session = Session()
    await exchange(session, fetch({0: 10, 1: 20}), answer())
    await exchange(session, fetch({0: 10, 1: 25}), answer(0, code))
    again = await exchange(session, fetch({0: 10, 1: 25}), answer(ANOTHER_ID))
    assert place(again) == (0, 0)
    assert told(again) == {0: 10, 1: 25}
    assert place(await exchange(session, fetch({0: 10, 1: 25}), answer(ANOTHER_ID))) == (ANOTHER_ID, 1)


async def test_a_broker_that_cannot_remember_more_is_told_everything_each_time() -> None:
    session = Session()
    for _ in range(3):
        asked = await exchange(session, fetch({0: 10}), answer(session_id=0))
        assert place(asked) == (0, 0)
        assert told(asked) == {0: 10}


async def test_a_request_without_an_answer_ends_the_session() -> None:
    """What the broker has made of it is not known."""
    session = Session()
    await exchange(session, fetch({0: 10}), answer())
    InSession(fetch({0: 11}), session).prepare(V11)
    again = await exchange(session, fetch({0: 12}), answer(ANOTHER_ID))
    assert place(again) == (ID, 0)
    assert told(again) == {0: 12}


async def test_an_answer_that_comes_after_a_later_request_says_nothing_of_the_session() -> None:
    session = Session()
    early = InSession(fetch({0: 10}), session)
    early.prepare(V11)
    late = InSession(fetch({0: 5}), session)
    late.prepare(V11)

    async def answered() -> Any:
        return answer()

    await early.answered(answered())
    assert told(await exchange(session, fetch({0: 5}), answer())) == {0: 5}


async def test_epochs_begin_anew_at_one() -> None:
    session = Session()
    await exchange(session, fetch({0: 10}), answer())
    session._epoch = LAST_EPOCH
    assert place(await exchange(session, fetch({0: 10}), answer())) == (ID, LAST_EPOCH)
    assert place(await exchange(session, fetch({0: 10}), answer())) == (ID, 1)


async def test_a_broker_from_before_sessions_is_asked_as_before() -> None:
    in_session = InSession(fetch({0: 10}), Session())
    built = in_session.prepare(V4)
    assert built.topics == [("requests", [(0, 10, BYTES)])]

    async def answered() -> Any:
        return FetchResponse_v4(0, [])

    assert (await in_session.answered(answered())).topics == []
