"""The settings: documented, bounded, consistent with one another."""

import pytest
from annotated_types import Ge, Le
from pydantic import SecretStr, ValidationError

from config.conflicts import conflicts
from config.settings import GROUPS, Settings


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


def test_sasl_needs_all_that_a_login_needs() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(security_protocol="SASL_SSL", sasl_username="me")
    assert "sasl_mechanism" in str(caught.value)
    assert "sasl_password" in str(caught.value)
    assert "sasl_username" not in str(caught.value)


def test_secrets_are_not_in_what_is_printed_of_settings() -> None:
    settings = Settings(sasl_password=SecretStr("hunter2"), ssl_key_password=SecretStr("hunter3"))
    assert "hunter" not in f"{settings!r} {settings}"
