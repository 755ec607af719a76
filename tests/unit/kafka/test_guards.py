"""The repairs of aiokafka itself: what it does wrong by itself, it does right once they are installed."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable

import aiokafka
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorForGroupError,
    ProducerFenced,
    UnknownMemberIdError,
)
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, JoinGroupResponse_v5
from aiokafka.structs import OffsetAndMetadata

from consumer.kafka import client, guards
from tests.support.waiting import wait_until

NOT_COORDINATOR = NotCoordinatorForGroupError.errno
NOT_ALLOWED = GroupAuthorizationFailedError.errno


class Coordinator:
    """As much of a group coordinator as sending a request needs; each request is answered with the code given."""

    def __init__(self, code: int) -> None:
        self._code = code
        self.is_dead = False

    async def answer(self, request: object) -> OffsetFetchResponse_v3:
        return OffsetFetchResponse_v3(0, [], self._code)

    def coordinator_dead(self) -> None:
        self.is_dead = True


@pytest.fixture(autouse=True)
def _answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "_send_request", Coordinator.answer)


@pytest.mark.parametrize("code", [NOT_COORDINATOR, NOT_ALLOWED])
async def test_an_offset_fetch_that_the_group_refuses_is_an_error_and_not_a_group_without_offsets(code: int) -> None:
    """T1."""
    with pytest.raises(KafkaError) as raised:
        await GroupCoordinator._send_req(Coordinator(code), OffsetFetchRequest("group", []))
    assert raised.value.errno == code


@pytest.mark.parametrize(("code", "is_dead"), [(NOT_COORDINATOR, True), (NOT_ALLOWED, False)])
async def test_a_coordinator_that_has_moved_is_looked_up_again(code: int, is_dead: bool) -> None:
    """T1: retried at the same node, it would refuse for ever."""
    coordinator = Coordinator(code)
    with pytest.raises(KafkaError):
        await GroupCoordinator._send_req(coordinator, OffsetFetchRequest("group", []))
    assert coordinator.is_dead is is_dead


async def test_answers_to_other_requests_are_left_to_aiokafka() -> None:
    """T1: it minds their codes itself, and for some of them it has to see the answer."""
    answer = await GroupCoordinator._send_req(Coordinator(NOT_COORDINATOR), HeartbeatRequest("group", 1, "member"))
    assert answer.error_code == NOT_COORDINATOR


class StaticMember:
    """As much of a coordinator as joining needs, of a member with a lasting name that the group has known as `old`."""

    _group_instance_id = "batchsum-0"

    def __init__(self, *codes: int) -> None:
        self.member_id = "old"
        self.generation = 7
        self._codes = list(codes)
        self.asked_as: list[str] = []

    def request_rejoin(self) -> None:
        pass

    async def answer(self, request: JoinGroupRequest) -> JoinGroupResponse_v5:
        self.asked_as.append(request._member_id)
        return JoinGroupResponse_v5(0, self._codes.pop(0), 7, "roundrobin", "leader", "new", [])

    async def refused_and_joining(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What becomes of it when a heartbeat says that it is not known, until all answers are used up."""
        monkeypatch.setattr(guards, "_send_request", StaticMember.answer)
        guards._reset_generation_but_remember(self)
        while self._codes:
            join = JoinGroupRequest("group", 1, 1, self.member_id, self._group_instance_id, "consumer", [])
            await GroupCoordinator._send_req(self, join)


async def test_a_static_member_that_is_not_known_any_more_asks_under_its_old_id_whether_it_was_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T28: and keeps asking so, for whoever asks as a new one takes the place."""
    member = StaticMember(guards.FENCED_INSTANCE_ID, guards.FENCED_INSTANCE_ID)
    await member.refused_and_joining(monkeypatch)
    assert member.asked_as == ["old", "old"]
    assert member.is_replaced  # type: ignore[attr-defined] # the guard's own


async def test_a_static_member_whose_place_nobody_has_joins_as_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """T28."""
    member = StaticMember(UnknownMemberIdError.errno, 0)
    await member.refused_and_joining(monkeypatch)
    assert member.asked_as == ["old", ""]
    assert not hasattr(member, "is_replaced")


async def test_a_poll_that_fails_has_ended() -> None:
    """T4: or the consumer would count as polling for ever after, and `max_poll_interval_ms` would bound nothing."""
    subscriptions = SubscriptionState()
    with pytest.raises(KafkaError), subscriptions.fetch_context():
        raise KafkaError
    assert subscriptions._fetch_count == 0
    assert subscriptions.fetcher_idle_time > 0


async def test_a_poll_among_others_does_not_end_theirs() -> None:
    """T4: lanes poll side by side."""
    subscriptions = SubscriptionState()
    with subscriptions.fetch_context():
        with subscriptions.fetch_context():
            pass
        assert subscriptions.fetcher_idle_time == 0


@pytest.fixture
async def complaints() -> list[object]:
    """What the event loop has found fault with."""
    found: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    return found


@pytest.mark.parametrize("end", [TransactionManager.error_transaction, TransactionManager.fatal_error])
async def test_a_transaction_that_has_failed_leaves_no_error_that_nobody_asks_for(
    end: Callable[[TransactionManager, Exception], None], complaints: list[object]
) -> None:
    """T37: it would be logged whenever memory is cleared."""
    transactions = TransactionManager("ours", 1_000)
    transactions.set_pid_and_epoch(1, 0)
    transactions.begin_transaction()
    transactions.add_offsets_to_txn({TopicPartition("requests", 0): OffsetAndMetadata(1, "")}, "batchsum")
    end(transactions, ProducerFenced())
    del transactions
    gc.collect()
    assert complaints == []


async def test_a_producer_without_a_transaction_can_fail_too() -> None:
    """T37: it has an idempotent producer's numbers to keep, and nobody who waits for a transaction's end."""
    numbers = TransactionManager(None, 1_000)
    numbers.fatal_error(KafkaError())
    assert numbers.is_fatal_error()


class SlowCoordinator:
    """As much of a group coordinator as a commit needs, which is refused once `gate` is open."""

    group_id, generation, member_id, coordinator_id = "group", 1, "member", 0
    _do_commit_offsets = GroupCoordinator._do_commit_offsets

    def __init__(self) -> None:
        self._commit_lock = asyncio.Lock()
        self.is_asked = asyncio.Event()
        self.gate = asyncio.Event()

    async def ensure_coordinator_known(self) -> None:
        pass

    async def _send_req(self, request: object) -> None:
        self.is_asked.set()
        await self.gate.wait()
        raise GroupAuthorizationFailedError(request)


async def test_a_commit_that_was_given_up_leaves_no_error_that_nobody_asks_for(complaints: list[object]) -> None:
    """T37: it goes on by itself, and whoever had asked for it has told of it."""
    coordinator = SlowCoordinator()
    offsets = {TopicPartition("requests", 0): OffsetAndMetadata(1, "")}
    committing = asyncio.create_task(GroupCoordinator.commit_offsets(coordinator, None, offsets))
    await coordinator.is_asked.wait()
    committing.cancel()
    await asyncio.wait([committing])
    coordinator.gate.set()
    await wait_until(lambda: len(asyncio.all_tasks()) == 1)
    del committing
    gc.collect()
    assert complaints == []


@pytest.mark.parametrize("given_up", [False, True])
async def test_a_batch_that_has_failed_tells_whoever_sent_it_and_leaves_no_error_that_nobody_asks_for(
    complaints: list[object], *, given_up: bool
) -> None:
    """T37: whoever sends by aiokafka waits behind a shield."""
    batch = MessageBatch(TopicPartition("results", 0), builder=None, ttl=1, linger_time=0)
    sent = asyncio.shield(batch.future)
    if given_up:
        sent.cancel()
        await asyncio.wait([sent])
    batch.failure(exception=ProducerFenced())
    with pytest.raises(asyncio.CancelledError if given_up else ProducerFenced):
        await sent
    del batch, sent
    gc.collect()
    assert complaints == []


def test_another_version_of_aiokafka_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiokafka, "__version__", "0.15.0")
    with pytest.raises(RuntimeError, match=r"aiokafka 0\.15\.0 is installed"):
        guards.install()


def test_python_without_assertions_is_refused() -> None:
    """T20: aiokafka checks its own state by assertions."""
    ended = subprocess.run(
        [sys.executable, "-O", "-c", f"import {client.__name__}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    assert "run Python without -O" in ended.stderr


def test_records_are_decoded_in_c() -> None:
    """T22: decoding is done on the event loop; aiokafka's fallback is ten times slower, and silent."""
    assert guards.records_are_compiled()
