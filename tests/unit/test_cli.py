"""The command line up to where Kafka begins: help, settings, usage, and what it does not import."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from config.settings import Settings
from consumer import failures
from consumer.cli import app
from consumer.cli.options import EXIT_CODES

COMMANDS = (
    ["run"],
    ["demo"],
    ["submit"],
    ["results"],
    ["topics", "create"],
    ["config"],
    ["check"],
    ["bench"],
    ["audit"],
    ["why"],
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("BATCHSUM_"):
            monkeypatch.delenv(name)


def batchsum(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_the_version_is_that_of_the_distribution() -> None:
    result = batchsum("--version")
    assert (result.exit_code, result.stdout) == (0, f"batchsum {version('batchsum')}\n")


@pytest.mark.parametrize("command", [[], *COMMANDS])
def test_help_tells_every_exit_code_there_is(command: list[str]) -> None:
    result = batchsum(*command, "--help")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    kinds: list[type[failures.Failure]] = [failures.Failure, *failures.Failure.__subclasses__()]
    for code in {0, 2, 8, 9, 10, 130} | {kind.exit_code for kind in kinds}:
        assert f" {code} " in text.partition("Exit codes:")[2]


def test_the_config_command_shows_every_setting_and_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "batchsum.toml"
    file.write_text("chunk_records_max = 10\n")
    monkeypatch.setenv("BATCHSUM_LANE_CHUNKS_MAX", "3")
    result = batchsum("config", "--config", str(file), "--set", "workers=4", "--bootstrap-servers", "kafka:9092")
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == ["setting", *Settings.model_fields]
    shown = {name: (value, origin) for name, value, origin in rows}
    assert shown["workers"] == ("4", "flag")
    assert shown["bootstrap_servers"] == ("kafka:9092", "flag")
    assert shown["lane_chunks_max"] == ("3", "environment BATCHSUM_LANE_CHUNKS_MAX")
    assert shown["chunk_records_max"] == ("10", str(file))
    assert shown["reply_to_failed"] == ("true", "default")
    assert shown["heartbeat_file"] == ("", "default")


def test_the_config_command_speaks_json() -> None:
    shown = json.loads(batchsum("config", "--json", "--set", "heartbeat_file=/run/alive").stdout)
    assert shown.keys() == Settings.model_fields.keys()
    assert shown["heartbeat_file"] == {"value": "/run/alive", "origin": "flag"}
    assert shown["workers"] == {"value": None, "origin": "default"}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_config_command_masks_secrets(form: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHSUM_SASL_PASSWORD", "hunter2")
    login = ("security_protocol=SASL_SSL", "sasl_mechanism=PLAIN", "sasl_username=me")
    result = batchsum("config", *form, *(f"--set={assignment}" for assignment in login))
    assert "hunter2" not in result.output
    assert "********" in result.stdout


@pytest.mark.parametrize("command", [*COMMANDS[:2], ["submit", "--generate", "1"], *COMMANDS[3:]])
def test_every_command_tells_all_mistakes_in_the_settings_and_ends_with_2(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHSUM_WORKERS", "none")
    monkeypatch.setenv("BATCHSUM_WORKRS", "1")
    result = batchsum(*command, "--set", "log_levle=info", "--set", "group_id")
    assert result.exit_code == 2
    assert result.stdout == ""
    told = result.stderr.splitlines()
    assert [line.split(" ")[0] for line in told] == ["--set", "log_levle", "BATCHSUM_WORKRS", "workers"]


def test_a_flag_of_run_is_a_setting_like_any_other() -> None:
    result = batchsum("run", "--workers", "0", "--log-level", "loud", "--request-topic", "no spaces")
    assert result.exit_code == 2
    assert {line.split(" ")[0] for line in result.stderr.splitlines()} == {"workers", "log_level", "request_topic"}


def test_a_value_may_contain_an_equals_sign() -> None:
    shown = json.loads(batchsum("config", "--json", "--set", "group_id=a=b").stdout)
    assert shown["group_id"]["value"] == "a=b"


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit"],
        ["submit", "-", "--generate", "5"],
        ["submit", "/nowhere/requests.jsonl"],
        ["submit", "/"],
        ["submit", "\0"],
        ["submit", "--generate", "0"],
        ["results", "--from", "latest"],
        ["results", "--from", "yesterday"],
        ["topics", "create", "--partitions", "0"],
        ["check", "--grace-period", "-1"],
        ["bench", "--seconds", "0"],
        ["bench", "--lists", "-1"],
        ["bench", "--target", "0"],
        ["audit", "--offsets", "7:5"],
        ["audit", "--since", "yesterday"],
        ["audit", "--at-once", "0"],
        ["audit", "--partition", "-1"],
        ["frobnicate"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert batchsum(*arguments).exit_code == 2


def test_a_standard_input_that_is_closed_is_told() -> None:
    ended = subprocess.run(
        ["sh", "-c", 'exec "$0" -m consumer submit - <&-', sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, "the standard input is closed" in ended.stderr) == (2, True), ended.stderr


def test_the_readme_and_the_help_tell_the_same_exit_codes() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    told = dict(re.findall(r"^\| (\d+) \| (.+) \|$", readme, flags=re.MULTILINE))
    helped = dict(re.findall(r"(\d+) ([^·]+)", EXIT_CODES))
    assert list(told) == list(helped)
    for code, meaning in helped.items():
        words = re.findall(r"\w+", meaning)
        assert re.findall(r"\w+", told[code])[: len(words)] == words


def test_a_broker_that_is_not_there_is_told_in_one_line_that_says_what_to_do() -> None:
    result = batchsum("results", "--bootstrap-servers", "127.0.0.1:1", "--set", "connect_timeout_ms=100")
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert "is a broker at 127.0.0.1:1? Say where by --bootstrap-servers" in line


def test_a_worker_process_imports_nothing_of_the_command_line() -> None:
    """Every worker imports the entry's module, as `__mp_main__`; what that imports is paid for by each of them."""
    code = "import consumer.__main__, sys; print(*(m for m in ('typer', 'rich', 'aiokafka') if m in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == ""


def test_help_imports_neither_kafka_nor_settings() -> None:
    code = (
        "import consumer.cli, sys; print(*(m for m in ('aiokafka', 'pydantic', 'confluent_kafka') if m in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == ""
