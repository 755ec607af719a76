"""Every way to prove who one is, end to end; and what is refused, withdrawn or rotated."""

import asyncio
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.service import Service
from tests.support.brokers.identity import Issuer, Provider
from tests.support.brokers.secured import PLAIN_PASSWORD, PLAIN_USER
from tests.support.guest import PASSWORD, Guest
from tests.support.in_process import running_service
from tests.support.waiting import wait_until

SHORT_LIFETIME_S = 3.0


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_scram_lets_a_user_in(guest: Guest, mechanism: str) -> None:
    await guest.let_in(mechanism=mechanism)
    await guest.permit("At least once")
    async with running_service(guest.password(sasl_mechanism=mechanism)) as service:
        await guest.answered(service, "a", "b")


async def test_plain_lets_a_user_in(guest: Guest) -> None:
    await guest.permit("At least once", user=PLAIN_USER)
    plain = {"sasl_mechanism": "PLAIN", "sasl_username": PLAIN_USER, "sasl_password": PLAIN_PASSWORD}
    async with running_service(guest.password(**plain)) as service:
        await guest.answered(service, "a")


async def test_a_certificate_lets_a_user_in_and_a_new_one_is_shown_without_a_restart(guest: Guest) -> None:
    """The old one is of no use any more: what it was allowed is taken away from it."""
    await guest.permit("At least once")
    async with running_service(guest.certificate()) as service:
        await guest.answered(service, "a")
        successor = f"{guest.name}-2"
        await guest.permit("At least once", user=successor)
        await asyncio.to_thread(guest.kafka.forbid_all, guest.name)
        guest.certify(guest.kafka.clients, successor)
        guest.kafka.cut()
        await guest.answered(service, "b")


async def test_a_token_lets_a_user_in_and_is_renewed_before_it_expires(guest: Guest, provider: Provider) -> None:
    """The broker ends each connection with its token; what is requested meanwhile is answered, and in order."""
    provider.lifetime_s = SHORT_LIFETIME_S
    await guest.permit("At least once")
    requested: list[str] = []
    async with running_service(guest.token(provider, oauth_scope="kafka")) as service:
        while len(provider.requests) < 3:
            requested.append(str(len(requested)))
            await guest.answered(service, requested[-1])
    assert provider.requests[0] == {"user": guest.name, "grant_type": "client_credentials", "scope": "kafka"}
    assert list(dict.fromkeys(await guest.answers())) == requested


async def test_a_provider_that_is_away_when_a_token_expires_is_waited_for(guest: Guest, provider: Provider) -> None:
    provider.lifetime_s = SHORT_LIFETIME_S
    await guest.permit("At least once")
    with capture_logs() as logs:
        async with running_service(guest.token(provider)) as service:
            await guest.answered(service, "a")
            provider.answer = (503, b"")
            await wait_until(lambda: any(line["event"] == "not healthy" for line in logs), timeout_s=40)
            provider.answer = None
            await guest.answered(service, "b")


async def test_a_password_file_is_read_again_without_a_restart(guest: Guest) -> None:
    file = guest.file("password")
    file.write_text("first\n")
    await guest.let_in("first")
    await guest.permit("At least once")
    async with running_service(guest.password(sasl_password=None, sasl_password_file=file)) as service:
        await guest.answered(service, "a")
        await guest.let_in("second")
        file.write_text("second\n")
        guest.kafka.cut()
        await guest.answered(service, "b")


async def test_withdrawn_credentials_are_told_and_outlasted(guest: Guest, caplog: pytest.LogCaptureFixture) -> None:
    await guest.let_in()
    await guest.permit("At least once")
    with capture_logs() as logs:
        async with running_service(guest.password()) as service:
            await guest.answered(service, "a")
            await asyncio.to_thread(guest.kafka.shut_out, guest.name)
            await _cut_until(guest, lambda: "SaslAuthenticationFailed" in caplog.text)
            await wait_until(lambda: any(line["event"] == "not healthy" for line in logs), timeout_s=30)
            await guest.let_in()
            await guest.answered(service, "b")
    assert PASSWORD not in f"{caplog.text} {logs}"


async def _cut_until(guest: Guest, condition: Callable[[], bool]) -> None:
    """A broker takes a moment to forget a user, and a client that is quick is let in once more."""
    async with asyncio.timeout(30):
        while not condition():
            guest.kafka.cut()
            with suppress(TimeoutError):
                await wait_until(condition, timeout_s=1)


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "a wrong password": ({"sasl_password": "wr0ng"}, r"SaslAuthenticationFailed: .*\(sasl_mechanism, sasl_username"),
    "a user of another mechanism": ({"sasl_mechanism": "SCRAM-SHA-512"}, "SaslAuthenticationFailed"),
    "a wrong authority": ({"ssl_cafile": None}, r"certificate verify failed: .*\(ssl_cafile must vouch for"),
    "another name": (
        {"bootstrap_servers": "localhost:{port}"},
        r"Hostname mismatch, certificate is not valid for 'localhost'.*\(bootstrap_servers, and what brokers advertise",
    ),
}


@pytest.mark.parametrize(("others", "told"), REFUSED.values(), ids=REFUSED)
async def test_who_is_refused_tries_again_and_says_why(guest: Guest, others: dict[str, object], told: str) -> None:
    await guest.let_in()
    port = guest.kafka.sasl.rpartition(":")[2]
    shown = {name: value.format(port=port) if isinstance(value, str) else value for name, value in others.items()}
    await assert_refused(guest.password(**shown), told)


async def assert_refused(settings: Settings, told: str) -> None:
    with capture_logs() as logs:
        stop = asyncio.Event()
        starting = asyncio.create_task(Service(settings).run(stop))
        await wait_until(lambda: any(line["event"] == "cannot connect, trying again" for line in logs))
        stop.set()
        await starting
    errors = [line["error"] for line in logs if line["event"] == "cannot connect, trying again"]
    assert re.search(told, errors[0])
    assert PASSWORD not in str(logs)
    assert "wr0ng" not in str(logs)


async def test_who_is_refused_for_too_long_does_not_start(guest: Guest) -> None:
    await guest.let_in()
    with pytest.raises(CannotConnect, match="SaslAuthenticationFailed"):
        await Service(guest.password(sasl_password="wr0ng", connect_timeout_ms=3_000)).run(asyncio.Event())


class Altered(Issuer):
    """Signs tokens that claim other things."""

    def __init__(self, claims: dict[str, Any], key: Issuer | None = None) -> None:
        super().__init__()
        self._claims = claims
        self._key = key._key if key else self._key

    def token(self, subject: str, **claims: Any) -> str:
        return super().token(subject, **claims | self._claims)


@pytest.mark.parametrize(
    "altered",
    [
        lambda issuer: Altered({"lifetime_s": -30}, key=issuer),
        lambda issuer: Altered({"audience": "others"}, key=issuer),
        lambda _: Altered({}),
    ],
    ids=["expired", "for another audience", "signed by somebody else"],
)
async def test_a_token_that_is_no_good_is_refused_and_the_reason_told(
    guest: Guest, provider: Provider, altered: Callable[[Issuer], Issuer]
) -> None:
    provider.issuer = altered(provider.issuer)
    await assert_refused(guest.token(provider), "SaslAuthenticationFailed: the token is refused: invalid_token")


async def test_a_wrong_client_secret_is_refused_and_the_reason_told(guest: Guest, provider: Provider) -> None:
    settings = guest.token(provider, oauth_client_secret="wr0ng")
    await assert_refused(settings, "/token refuses a token: 401 invalid_client")


async def test_a_certificate_of_an_authority_that_the_broker_does_not_know_is_refused(guest: Guest) -> None:
    settings = guest.certificate()
    guest.certify(trustme.CA(), "stranger")
    await assert_refused(settings, "(?i)certificate|closed|reset|alert")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda guest: shutil.copy(guest.file("client.pem"), guest.file("client.key")), "no key, in PEM"),
        (lambda guest: guest.file("client.key").unlink(), r"No such file or directory: .*client\.key"),
    ],
    ids=["without a key", "gone"],
)
async def test_a_certificate_that_cannot_be_used_ends_the_start_at_once(
    guest: Guest, spoil: Callable[[Guest], object], told: str
) -> None:
    settings = guest.certificate()
    spoil(guest)
    with pytest.raises(CannotConnect, match=told):
        await Service(settings).run(asyncio.Event())
