"""Probes: 200 or 503, and each check by its name."""

import pytest

from tests.support.http import serving
from tests.support.instance import FakeInstance


async def test_a_healthy_instance_is_alive_and_ready() -> None:
    async with serving(FakeInstance()) as client:
        alive, ready = await client.get("/livez"), await client.get("/readyz")

    assert (alive.status_code, alive.json()) == (
        200,
        {"status": "ok", "checks": {"event_loop": "ok", "background": "ok"}},
    )
    assert ready.status_code == 200
    assert ready.json()["checks"] == {"group": "ok", "lanes": "ok", "pool": "ok", "outage": "ok"}
    assert ready.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("check", ["group", "lanes", "pool", "outage"])
async def test_a_check_that_fails_is_told_by_its_name(check: str) -> None:
    instance = FakeInstance()
    instance.health.ready[check] = "this is why"
    async with serving(instance) as client:
        ready, alive = await client.get("/readyz"), await client.get("/livez")

    assert (ready.status_code, ready.json()["status"], ready.json()["checks"][check]) == (503, "trouble", "this is why")
    assert alive.status_code == 200


async def test_an_instance_whose_background_has_ended_wants_a_restart() -> None:
    instance = FakeInstance()
    instance.health.alive["background"] = "ended: source"
    async with serving(instance) as client:
        assert (await client.get("/livez")).status_code == 503


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/livez", 405)])
async def test_what_is_not_there_is_answered_with_a_problem(method: str, path: str, status: int) -> None:
    async with serving(FakeInstance()) as client:
        answer = await client.request(method, path)

    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() >= {"title", "detail"}
