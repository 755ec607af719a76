"""Where settings come from, which source wins, and how mistakes are told."""

import os
from pathlib import Path

import pytest

from config.settings import Settings
from config.sources import SettingsError, load, shown, variable


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("BATCHSUM_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "batchsum.toml"


def problems(config_file: Path | None = None, **overrides: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(config_file, overrides)
    return caught.value.problems


def test_with_nothing_given_all_is_default() -> None:
    loaded = load()
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.origins.keys() == Settings.model_fields.keys()


def test_flags_win_over_the_environment_and_that_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("workers = 2\nlane_chunks_max = 2\nchunk_records_max = 2\n")
    monkeypatch.setenv("BATCHSUM_WORKERS", "3")
    monkeypatch.setenv("BATCHSUM_LANE_CHUNKS_MAX", "3")
    loaded = load(file, {"workers": "4"})
    settings = loaded.settings
    assert (settings.workers, settings.lane_chunks_max, settings.chunk_records_max) == (4, 3, 2)
    assert loaded.origins["workers"] == "flag"
    assert loaded.origins["lane_chunks_max"] == "environment BATCHSUM_LANE_CHUNKS_MAX"
    assert loaded.origins["chunk_records_max"] == str(file)
    assert loaded.origins["group_id"] == "default"


def test_the_environment_may_name_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('group_id = "from the file"\n')
    monkeypatch.setenv("BATCHSUM_CONFIG", str(file))
    assert load().settings.group_id == "from the file"


def test_the_file_that_a_flag_names_wins_over_the_one_of_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("workers = 2\n")
    monkeypatch.setenv("BATCHSUM_CONFIG", "/nowhere/at/all.toml")
    assert load(file).settings.workers == 2


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files and charts hand on variables that nobody has set."""
    monkeypatch.setenv("BATCHSUM_SASL_USERNAME", "")
    monkeypatch.setenv("BATCHSUM_WORKERS", "")
    monkeypatch.setenv("BATCHSUM_CONFIG", "")
    assert load().settings == Settings()


# What a setting that begins so has no effect without.
BESIDE = {
    "ssl_": {"security_protocol": "SSL", "ssl_certfile": __file__},
    "sasl_": {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "me",
        "sasl_password": "hunter2",
    },
    "oauth_": {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": "https://localhost",
        "oauth_client_id": "me",
        "oauth_client_secret": "hunter2",
    },
}
WHERE_UNSET = {
    "workers": "3",
    "group_instance_id": "batchsum-0",
    "sasl_mechanism": "PLAIN",
    "oauth_token_url": "https://localhost/token",
    "traces_endpoint": "http://localhost:4318",
}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_can_be_set_by_its_variable(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = next((values for beginning, values in BESIDE.items() if name.startswith(beginning)), {})
    others = {other: value for other, value in beside.items() if other not in {name, name.removesuffix("_file")}}
    file.write_text("\n".join(f"{other} = '{value}'" for other, value in others.items()))
    default = Settings.model_fields[name].default
    monkeypatch.setenv(variable(name), WHERE_UNSET.get(name, __file__) if default in {None, ""} else str(default))
    assert load(file).origins[name] == f"environment {variable(name)}"


def test_all_mistakes_are_told_at_once_each_with_its_source(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('workers = "many"\ndrain_timeout_ms = 50_000\nchunk_timeout = 5\n')
    monkeypatch.setenv("BATCHSUM_LOG_LEVEL", "loud")
    monkeypatch.setenv("BATCHSUM_WORKRS", "2")
    told = problems(file, lane_chunks_max="0", quiet="yes")
    assert len(told) == 7
    for name, source in (
        ("workers", str(file)),
        ("drain_timeout_ms", str(file)),
        ("chunk_timeout", str(file)),
        ("log_level", "environment BATCHSUM_LOG_LEVEL"),
        ("BATCHSUM_WORKRS", "environment"),
        ("lane_chunks_max", "flag"),
        ("quiet", "flag"),
    ):
        assert [problem for problem in told if problem.startswith(f"{name} ({source}): ")]


def test_a_conflict_with_a_faulty_value_is_not_told() -> None:
    """What the value should have been is not known, so neither is whether it would agree."""
    told = problems(rebalance_timeout_ms="soon", drain_timeout_ms="50000")
    assert [problem.split(" ")[0] for problem in told] == ["rebalance_timeout_ms"]


def test_a_conflict_names_the_sources_of_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHSUM_REBALANCE_TIMEOUT_MS", "30000")
    (told,) = problems(drain_timeout_ms="20000")
    assert told.startswith("drain_timeout_ms (flag; rebalance_timeout_ms: environment BATCHSUM_REBALANCE_TIMEOUT_MS): ")


@pytest.mark.parametrize(("wrong", "right"), [("worker", "workers"), ("chunk_records", "chunk_records_max")])
def test_a_misspelt_name_in_the_file_gets_a_hint(wrong: str, right: str, file: Path) -> None:
    file.write_text(f"{wrong} = 1\n")
    assert problems(file) == [f"{wrong} ({file}): no such setting; did you mean {right}?"]


def test_a_misspelt_variable_gets_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHSUM_GROUPID", "x")
    assert problems() == ["BATCHSUM_GROUPID (environment): no such setting; did you mean BATCHSUM_GROUP_ID?"]


def test_a_name_like_no_other_gets_none(file: Path) -> None:
    file.write_text("zzz = 1\n")
    assert problems(file) == [f"zzz ({file}): no such setting"]


def test_a_faulty_secret_is_not_quoted(file: Path) -> None:
    file.write_text("sasl_password = 271828\n")
    (told,) = problems(file)
    assert told.startswith(f"sasl_password ({file})")
    assert "271828" not in told


def test_any_other_faulty_value_is_quoted() -> None:
    (told,) = problems(workers="-3")
    assert told.endswith("not '-3'")


@pytest.mark.parametrize("text", ["workers = ", "\x00", "[[["])
def test_a_file_that_is_no_toml_is_a_mistake(text: str, file: Path) -> None:
    file.write_text(text)
    (told,) = problems(file)
    assert told.startswith(f"{file}: cannot be read as a TOML file: ")


def test_a_file_that_is_no_text_is_a_mistake(file: Path) -> None:
    file.write_bytes(b"group_id = '\xff'\n")
    assert problems(file)[0].startswith(f"{file}: cannot be read as a TOML file: ")


def test_a_missing_file_is_a_mistake(file: Path) -> None:
    assert problems(file) == [f"{file}: cannot be read as a TOML file: No such file or directory"]


def test_secrets_are_shown_masked() -> None:
    settings = load(overrides=BESIDE["sasl_"]).settings
    assert settings.sasl_password is not None
    assert settings.sasl_password.get_secret_value() == "hunter2"
    assert shown(settings.sasl_password) == "********"


def test_a_mistake_in_a_url_does_not_quote_it() -> None:
    """It may be that there is a password in it."""
    (told,) = problems(None, **BESIDE["oauth_"] | {"oauth_token_url": "https://me:hunter3@id.example"})
    assert told.startswith("oauth_token_url (flag): ")
    assert "hunter3" not in told
