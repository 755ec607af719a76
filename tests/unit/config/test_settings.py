"""The settings: documented, bounded, consistent with one another."""

import sys
from importlib.util import find_spec

import pytest
from annotated_types import Ge, Le
from pydantic import ValidationError

from config.conflicts import conflicts
from config.settings import GROUPS, Settings
from config.sources import SettingsError, load

EXPORTER = "opentelemetry.exporter.otlp.proto.http"


def test_the_defaults_are_valid_and_agree_with_one_another() -> None:
    assert conflicts(Settings()) == []


def test_settings_read_nothing_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHSUM_WORKERS", "7")
    assert Settings().workers is None


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.workers = 3


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"worker": 3})


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_meaning(name: str) -> None:
    assert Settings.model_fields[name].description


def test_every_setting_is_in_exactly_one_group() -> None:
    """The README's tables are made group by group, so one without a group would be missing there."""
    grouped = [name for group in GROUPS for name in group.model_fields]
    assert sorted(grouped) == sorted(Settings.model_fields)


@pytest.mark.parametrize(
    "name", [name for name, field in Settings.model_fields.items() if field.annotation in {int, int | None}]
)
def test_every_number_has_bounds_that_hold(name: str) -> None:
    metadata = Settings.model_fields[name].metadata
    (lowest,) = (bound.ge for bound in metadata if isinstance(bound, Ge))
    (highest,) = (bound.le for bound in metadata if isinstance(bound, Le))
    for value in (int(str(lowest)) - 1, int(str(highest)) + 1):
        with pytest.raises(ValidationError) as caught:
            Settings.model_validate({name: value})
        assert [fault["loc"] for fault in caught.value.errors()] == [(name,)]


@pytest.mark.parametrize(
    ("values", "first_name"),
    [
        ({"request_timeout_ms": 64_999}, "request_timeout_ms"),
        ({"heartbeat_interval_ms": 15_001}, "heartbeat_interval_ms"),
        ({"drain_timeout_ms": 36_001}, "drain_timeout_ms"),
        ({"progress_timeout_ms": 29_999}, "chunk_timeout_ms"),
        ({"outage_timeout_ms": 59_999}, "publish_timeout_ms"),
        ({"partition_fetch_bytes_max": 16 * 1024 * 1024 + 1}, "partition_fetch_bytes_max"),
        ({"result_topic": "batch-requests"}, "request_topic"),
        ({"dead_letter_topic": "batch-results"}, "request_topic"),
        ({"ssl_cafile": __file__}, "ssl_cafile"),
        ({"ssl_cafile": "/nowhere", "security_protocol": "SSL"}, "ssl_cafile"),
        ({"ssl_keyfile": __file__, "security_protocol": "SSL"}, "ssl_certfile"),
    ],
)
def test_settings_that_cannot_stand_together_are_refused(values: dict[str, object], first_name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    assert f"Value error, {first_name} must" in str(caught.value) or f"{first_name} has no effect" in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"request_timeout_ms": 65_000},
        {"heartbeat_interval_ms": 15_000},
        {"drain_timeout_ms": 36_000},
        {"progress_timeout_ms": 30_000},
        {"outage_timeout_ms": 60_000},
        {"partition_fetch_bytes_max": 16 * 1024 * 1024},
        {"ssl_cafile": __file__, "security_protocol": "SSL"},
    ],
)
def test_settings_that_just_agree_are_taken(values: dict[str, object]) -> None:
    assert conflicts(Settings.model_validate(values)) == []


LOGIN = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "me"}
OIDC = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "OAUTHBEARER",
    "oauth_token_url": "https://id.example/token",
    "oauth_client_id": "me",
    "oauth_client_secret": "hunter2",
}


@pytest.mark.parametrize(
    "values",
    [
        LOGIN | {"sasl_password": "hunter2"},
        LOGIN | {"sasl_password_file": __file__},
        OIDC,
        OIDC | {"oauth_scope": "kafka", "oauth_cafile": __file__},
        OIDC | {"oauth_token_url": "http://localhost:8080/token"},
        {"security_protocol": "SSL", "ssl_certfile": __file__, "ssl_key_password_file": __file__},
    ],
)
def test_what_is_complete_is_taken(values: dict[str, object]) -> None:
    assert conflicts(Settings.model_validate(values)) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"security_protocol": "SASL_SSL"}, ["sasl_mechanism must be set, as security_protocol is SASL_SSL"]),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"},
            ["sasl_username must be set, as", "sasl_password must be set, or sasl_password_file, as sasl_mechanism is"],
        ),
        (LOGIN | {"sasl_password_file": "/nowhere"}, ["sasl_password_file must be a file that is there"]),
        (
            LOGIN | {"sasl_password": "hunter2", "sasl_password_file": __file__},
            ["sasl_password_file must not be set beside sasl_password"],
        ),
        ({"sasl_password": "hunter2"}, ["sasl_password has no effect, as security_protocol is PLAINTEXT"]),
        (OIDC | {"sasl_username": "me"}, ["sasl_username has no effect, as sasl_mechanism is OAUTHBEARER"]),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
            ["oauth_token_url must", "oauth_client_id must", "oauth_client_secret must be set, or oauth_client_secret"],
        ),
        (OIDC | {"oauth_token_url": "http://id.example/token"}, ["oauth_token_url must be https"]),
        (
            {"security_protocol": "SSL", "ssl_key_password": "hunter2"},
            ["ssl_key_password has no effect without ssl_certfile"],
        ),
    ],
)
def test_what_is_incomplete_contradicts_itself_or_has_no_effect_is_refused(
    values: dict[str, object], told: list[str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    for line in told:
        assert line in str(caught.value)
    assert str(caught.value).count(" has no effect") + str(caught.value).count(" must ") == len(told)
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(find_spec("gssapi") is not None, reason="the extra is installed")
def test_kerberos_without_its_extra_is_refused_with_what_to_install() -> None:
    with pytest.raises(ValidationError, match=r"pip install 'batchsum\[gssapi\]'"):
        Settings(security_protocol="SASL_SSL", sasl_mechanism="GSSAPI")


@pytest.mark.parametrize("missing", [EXPORTER, EXPORTER.rpartition(".")[0]])
def test_traces_without_their_extra_are_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    assert Settings(traces_endpoint="http://collector:4318").traces_endpoint == "http://collector:4318"
    monkeypatch.delitem(sys.modules, EXPORTER, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ValidationError, match=r"needs the extra traces: pip install 'batchsum\[traces\]'"):
        Settings(traces_endpoint="http://collector:4318")
    assert not Settings(traces_endpoint="").traces_endpoint


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://me:hunter2@collector:4318"])
def test_spans_are_sent_over_http_and_the_address_holds_no_password(endpoint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(overrides={"traces_endpoint": endpoint})
    assert "traces_endpoint (flag): String should match pattern" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "id.example/token", "ftp://id.example", "https://me:hunter2@id.example/token"])
def test_a_token_url_is_one_for_the_web_and_holds_no_password(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(OIDC | {"oauth_token_url": url})
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_in_what_is_printed_of_settings() -> None:
    secrets = {"ssl_certfile": __file__, "ssl_key_password": "hunter3", "sasl_password": "hunter4"}
    for settings in (Settings.model_validate(LOGIN | secrets), Settings.model_validate(OIDC)):
        assert "hunter" not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    ("endpoint", "disabled", "traced"),
    [
        ("", "", False),
        ("http://collector:4318", "", True),
        ("http://collector:4318", "false", True),
        ("http://collector:4318", "true", False),
        ("http://collector:4318", " TRUE", False),
    ],
)
def test_opentelemetrys_own_variable_turns_traces_off(
    endpoint: str, disabled: str, traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", disabled)
    assert Settings(traces_endpoint=endpoint).traced is traced
