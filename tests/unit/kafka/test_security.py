"""What can be rotated is read again when it has changed, and never is anything used that was half written."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest
import trustme
from aiokafka import client, errors
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import OAuthAuthenticator
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import SecretStr
from structlog.testing import capture_logs

from config import conflicts
from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka import connections
from consumer.kafka.client import connection_options, describe
from consumer.kafka.security import Certificates, secret


class Files(TypedDict):
    """What a client that shows a certificate needs, by the names that `Certificates` has for it."""

    cafile: Path
    certfile: Path
    keyfile: Path


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    return issue(authority, tmp_path)


def issue(authority: trustme.CA, directory: Path) -> Files:
    """Write a new certificate, and what goes with it."""
    certificate = authority.issue_cert("client.example", key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate.private_key_pem.write_to_path(directory / "client.key")
    certificate.cert_chain_pems[0].write_to_path(directory / "client.pem")
    return Files(cafile=directory / "ca.pem", certfile=directory / "client.pem", keyfile=directory / "client.key")


def test_certificates_are_read_once_for_as_long_as_they_stay_the_same(files: Files) -> None:
    certificates = Certificates(**files)
    assert certificates() is certificates()


def test_certificates_that_are_replaced_are_read_again(files: Files, authority: trustme.CA) -> None:
    certificates = Certificates(**files)
    before = certificates()
    issue(authority, files["certfile"].parent)
    assert certificates() is not before


def test_an_authority_that_is_taken_out_is_not_trusted_any_more(files: Files) -> None:
    certificates = Certificates(**files)
    before = certificates().get_ca_certs()
    trustme.CA().cert_pem.write_to_path(files["cafile"])
    after = certificates().get_ca_certs()
    assert len(before) == len(after) == 1
    assert before != after


def test_halfway_through_a_rotation_those_from_before_are_used(files: Files, authority: trustme.CA) -> None:
    certificates = Certificates(**files)
    before = certificates()
    key = files["keyfile"].read_bytes()
    issue(authority, files["certfile"].parent)
    new_key = files["keyfile"].read_bytes()
    files["keyfile"].write_bytes(key)
    with capture_logs() as logs:
        assert certificates() is before
    assert "the key is not that of the certificate" in logs[0]["error"]
    files["keyfile"].unlink()
    assert certificates() is before
    files["keyfile"].write_bytes(new_key)
    assert certificates() is not before


def test_a_mounted_secret_that_is_switched_by_a_link_counts_as_changed(tmp_path: Path, authority: trustme.CA) -> None:
    """As container platforms do it; contents of the same size, and of the same age."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = issue(authority, tmp_path / name)
        for file in (files["certfile"], files["keyfile"]):
            os.utime(file, (0, 0))
    link = tmp_path / "current"
    link.symlink_to("one")
    certificates = Certificates(cafile=None, certfile=link / "client.pem", keyfile=link / "client.key")
    before = certificates()
    link.unlink()
    link.symlink_to("two")
    assert certificates() is not before


def encrypt(file: Path, password: str) -> None:
    key = load_pem_private_key(file.read_bytes(), password=None)
    encryption = BestAvailableEncryption(password.encode())
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


def test_an_encrypted_key_needs_its_password_and_asks_nobody_for_it(files: Files) -> None:
    encrypt(files["keyfile"], "hunter2")
    Certificates(**files, key_password=lambda: "hunter2")()
    for password in (None, lambda: "mistaken"):
        with pytest.raises(OSError, match=r"client\.key: (the key's password is wrong|no certificate, or no key)"):
            Certificates(**files, key_password=password)()


@pytest.mark.parametrize("name", ["cafile", "certfile", "keyfile"])
def test_a_file_that_holds_nothing_of_use_is_named(
    files: Files, name: Literal["cafile", "certfile", "keyfile"]
) -> None:
    files[name].write_text("nothing of use")
    with pytest.raises(OSError, match=rf"{files[name].name}.*: no certificate, or no key, in PEM"):
        Certificates(**files)()


def test_what_cannot_be_read_at_the_start_is_told_in_a_line(files: Files) -> None:
    files["keyfile"].write_text("nothing of use")
    paths = {f"ssl_{name}": path for name, path in files.items()}
    with pytest.raises(CannotConnect, match=r"^the connection cannot be secured: .*client\.pem and .*client\.key: no"):
        connection_options(Settings.model_validate({"security_protocol": "SSL"} | paths))


def test_the_clients_of_an_instance_share_their_certificates(files: Files) -> None:
    paths = {f"ssl_{name}": path for name, path in files.items()}
    settings = [Settings.model_validate({"security_protocol": "SSL"} | paths) for _ in range(2)]
    first, second = (connection_options(each)["ssl_context"] for each in settings)
    assert first is second


@pytest.mark.parametrize("content", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_a_secret_of_a_file_is_its_content_without_the_line_end(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    read = secret(None, file)
    assert read is not None
    assert read() == "hunter2"
    file.write_text(" a new one ")
    assert read() == " a new one "


def test_a_secret_by_its_value_is_that_and_none_is_none() -> None:
    read = secret(SecretStr("hunter2"), None)
    assert read is not None
    assert read() == "hunter2"
    assert secret(None, None) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_that_cannot_be_a_secret_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    read = secret(None, file)
    assert read is not None
    with pytest.raises(OSError, match=r"secret is (empty|not text in UTF-8)"):
        read()


Connect = Callable[..., Any]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each connection was made with; none is made."""
    made: list[dict[str, Any]] = []

    async def create(*_: Any, **options: Any) -> str:
        made.append(options)
        return "connection"

    monkeypatch.setattr(connections, "_create_connection", create)
    return made


async def test_each_connection_asks_for_the_password_and_the_certificates_of_its_time(
    connected: list[dict[str, Any]],
) -> None:
    """T23."""
    passwords, contexts = iter(["first", "second"]), iter([ssl.create_default_context() for _ in range(2)])
    for _ in range(2):
        await client.create_conn(
            "localhost", 9092, ssl_context=lambda: next(contexts), sasl_plain_password=lambda: next(passwords)
        )
    assert [made["sasl_plain_password"] for made in connected] == ["first", "second"]
    assert connected[0]["ssl_context"] is not connected[1]["ssl_context"]


@pytest.mark.parametrize("error", [ValueError("Server sent wrong signature!"), AssertionError("what?")])
async def test_whatever_goes_wrong_in_a_handshake_is_a_failed_connection(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """T24 and T25: and the reason is raised, not only logged."""

    async def create(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(connections, "_create_connection", create)
    with pytest.raises(errors.AuthenticationFailedError, match=str(error)):
        await AIOKafkaClient(bootstrap_servers="localhost:1").bootstrap()


class Provider:
    async def token(self) -> str:
        return "token"


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b'{"status":"invalid_token"}', "invalid_token"), (b"[]", "no reason given"), (b"\xff", "no reason given")],
)
async def test_a_broker_that_answers_a_token_has_refused_it(answer: bytes, told: str) -> None:
    """T26."""
    login = OAuthAuthenticator(sasl_oauth_token_provider=Provider())
    assert await login.step(None) == (b"n,,\x01auth=Bearer token\x01\x01", True)
    with pytest.raises(errors.SaslAuthenticationFailed, match=told):
        await login.step(answer)
    assert await login.step(b"") is None


def test_kerberos_gets_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra may not be installed here; that it is asked for is the settings' business."""
    monkeypatch.setattr(conflicts, "find_spec", lambda _: object())
    options = connection_options(
        Settings(security_protocol="SASL_SSL", sasl_mechanism="GSSAPI", kerberos_domain_name="kafka.example")
    )
    assert options["sasl_mechanism"] == "GSSAPI"
    assert options["sasl_kerberos_service_name"] == "kafka"
    assert options["sasl_kerberos_domain_name"] == "kafka.example"


def test_an_error_about_security_says_what_to_look_at() -> None:
    outer = errors.KafkaConnectionError("in vain")
    outer.__cause__ = errors.SaslAuthenticationFailed("no")
    assert describe(outer) == (
        "KafkaConnectionError: in vain (sasl_mechanism, sasl_username and sasl_password, or what stands in their place)"
    )
    assert describe(errors.KafkaConnectionError("in vain")) == "KafkaConnectionError: in vain"
