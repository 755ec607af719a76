"""Fault 26: credentials that are refused, or withdrawn."""

import asyncio
from typing import Any

import pytest

from tests.chaos.load import goods
from tests.chaos.scene import Scene, both_deliveries
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_broker("it checks no credentials")

USER, PASSWORD = "service", "correct"


def guarded(stage: Scene, **others: object) -> dict[str, Any]:
    own = {
        "bootstrap_servers": stage.kafka.guarded,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_username": USER,
        "sasl_password": PASSWORD,
    }
    return own | others


async def test_26_refused_credentials_end_the_start_with_a_clear_message(stage: Scene) -> None:
    """After bounded retries, and without the password in the log."""
    await asyncio.to_thread(stage.kafka.let_in, USER, PASSWORD)
    instance = stage.start(**guarded(stage, sasl_password="mistaken", connect_timeout_ms=4_000))
    assert await instance.ended() == 3
    log = instance.log_file.read_text()
    assert "Authentication failed" in log
    assert "mistaken" not in log
    assert len(instance.events("cannot connect, trying again")) <= 5
    assert not instance.is_healthy


@pytest.mark.slow
@both_deliveries
async def test_26_withdrawn_credentials_are_outlasted_or_end_the_instance(stage: Scene) -> None:
    """Not ready while they are withdrawn; as they are not given back in time, it exits, and the next one goes on."""
    await asyncio.to_thread(stage.kafka.let_in, USER, PASSWORD)
    instance = await stage.started(**guarded(stage, outage_timeout_ms=12_000))
    await stage.produce(goods(50))
    await stage.settled()
    (proxy,) = stage.kafka.guarded_proxies

    await asyncio.to_thread(stage.kafka.shut_out, USER)
    proxy.reset()
    await instance.logged("not healthy")
    await wait_until(lambda: not instance.is_healthy)
    await asyncio.to_thread(stage.kafka.let_in, USER, PASSWORD)
    await stage.produce(goods(50))
    await stage.settled()
    await wait_until(lambda: instance.is_healthy)

    await asyncio.to_thread(stage.kafka.shut_out, USER)
    proxy.reset()
    assert await instance.ended() == 5
    assert stage.judge(duplicates_max=0) == []
