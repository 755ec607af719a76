"""Tokens: got once, shared, renewed in time, and the secret told to nobody else."""

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.kafka import tokens as module
from consumer.kafka.tokens import NoToken, Tokens
from tests.support.brokers.identity import Issuer, Provider

USER, SECRET = "us:er", "s%cr:et"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def provider(issuer: Issuer) -> Iterator[Provider]:
    with Provider(issuer, secrets={USER: SECRET}).running() as provider:
        yield provider


class Clock:
    """A time that passes when it is told to."""

    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def tokens(provider: Provider, *, secret: str = SECRET, scope: str | None = None) -> Tokens:
    return Tokens(
        url=provider.url,
        client_id=USER,
        client_secret=lambda: secret,
        scope=scope,
        context=ssl.create_default_context,
    )


async def test_a_token_is_asked_for_as_a_client_with_its_scope(provider: Provider) -> None:
    assert (await tokens(provider, scope="kafka read").token()).count(".") == 2
    assert provider.requests == [{"user": USER, "grant_type": "client_credentials", "scope": "kafka read"}]


async def test_all_connections_share_one_token(provider: Provider) -> None:
    shared = tokens(provider)
    got = await asyncio.gather(*(shared.token() for _ in range(20)))
    assert len(set(got)) == 1
    assert len(provider.requests) == 1


async def test_a_token_is_renewed_when_a_fifth_of_its_life_is_left(provider: Provider, clock: Clock) -> None:
    provider.lifetime_s = 100
    shared = tokens(provider)
    await shared.token()
    clock.now += 79
    await shared.token()
    assert len(provider.requests) == 1
    clock.now += 2
    await shared.token()
    assert len(provider.requests) == 2


async def test_while_there_is_no_new_token_the_last_one_serves_until_it_expires(
    provider: Provider, clock: Clock
) -> None:
    provider.lifetime_s = 100
    shared = tokens(provider)
    first = await shared.token()
    provider.answer = (503, b"")
    clock.now += 90
    with capture_logs() as logs:
        assert await shared.token() == first
    assert "refuses a token: 503" in logs[0]["error"]
    clock.now += 11
    with pytest.raises(NoToken):
        await shared.token()


ANSWERS: dict[str, tuple[int, bytes, str]] = {
    "refused": (
        400,
        b'{"error": "invalid_scope", "error_description": "hidden"}',
        "refuses a token: 400 invalid_scope",
    ),
    "refused without a word": (401, b"<html>hidden</html>", "refuses a token: 401"),
    "a reason that is none": (401, b'{"error": "\\u001b[2Jhidden"}', "refuses a token: 401"),
    "a redirection": (302, b"", "refuses a token: 302"),
    "no JSON": (200, b"hidden", "its answer is not JSON"),
    "JSON without end": (200, b"[" * 60_000, "its answer is not JSON"),
    "more than a token": (200, b'{"access_token": "' + b"x" * 100_000, "its answer is not JSON"),
    "no token": (200, b'{"token": "hidden"}', "its answer has no access_token"),
    "a token of other types": (200, b'{"access_token": 7}', "its answer has no access_token"),
    "a token that adds to the login": (
        200,
        b'{"access_token": "x\\u0001auth=hidden"}',
        "its answer has no access_token",
    ),
}


@pytest.mark.parametrize(("status", "body", "told"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_that_is_no_token_is_told_and_not_quoted(
    provider: Provider, status: int, body: bytes, told: str
) -> None:
    provider.answer = (status, body)
    with pytest.raises(NoToken) as caught:
        await tokens(provider).token()
    assert str(caught.value).endswith(told)
    assert "hidden" not in str(caught.value)
    assert len(provider.requests) == 1  # a redirection is not followed: the secret is for this place alone


async def test_a_wrong_secret_is_not_in_the_error(provider: Provider) -> None:
    with pytest.raises(NoToken, match="401 invalid_client") as caught:
        await tokens(provider, secret="hunter2").token()
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


async def test_a_provider_that_is_not_there_is_a_failed_connection() -> None:
    away: Any = Provider(Issuer(), secrets={})
    away.url = "http://127.0.0.1:1/token"
    with pytest.raises(OSError, match=r"gives no token: .*refused"):
        await tokens(away).token()


async def test_a_token_that_tells_no_lifetime_is_kept_for_a_while(provider: Provider, clock: Clock) -> None:
    provider.answer = (200, b'{"access_token": "abc"}')
    shared = tokens(provider)
    assert await shared.token() == "abc"
    assert module.LIFETIME_DEFAULT_S == 60
    clock.now += 47
    await shared.token()
    assert len(provider.requests) == 1
    clock.now += 2
    await shared.token()
    assert len(provider.requests) == 2
