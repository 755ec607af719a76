"""The repairs of aiokafka itself: what it does wrong by itself, it does right once they are installed."""

import subprocess
import sys

import aiokafka
import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3
from aiokafka.protocol.group import HeartbeatRequest

from consumer.kafka import client, guards

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
