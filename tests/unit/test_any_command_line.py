"""Whatever somebody types: the command is understood, or one message says why not, and the exit code is 2."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from consumer.cli import app

COMMANDS = ["run", "demo", "submit", "results", "topics", "topics create", "config", "audit"]
OPTIONS = [
    *("--help", "--version", "--json", "--config", "--set", "--embedded", "--wait", "--follow", "--from", "--timeout"),
    *("--generate", "--lists", "--integers", "--seed", "--batches", "--partitions", "--replication", "--workers"),
    *("--bootstrap-servers", "--group-id", "--log-level", "--", "-h", "--offsets", "--since", "--at-once", "--all-due"),
]
WORDS = [
    "/dev/null",
    "/nowhere",
    "-",
    "0",
    "1",
    "-1",
    "7",
    "1e9",
    "latest",
    "a:1",
    "=",
    "workers=2",
    "workers=",
    "=1",
    "wokers=1",
]

words = st.sampled_from(WORDS) | st.text(max_size=6)
options = st.sampled_from(OPTIONS) | st.tuples(st.sampled_from(OPTIONS), words).map("=".join)
assignments = st.tuples(st.just("--set"), st.sampled_from(["workers", "log_level", "nothing"]), words).map(
    lambda drawn: [drawn[0], f"{drawn[1]}={drawn[2]}"]
)
pieces = st.one_of(options.map(lambda option: [option]), words.map(lambda word: [word]), assignments)
command_lines = st.tuples(
    st.sampled_from(COMMANDS).map(str.split) | words.map(lambda word: [word]), st.lists(pieces, max_size=4)
).map(lambda drawn: drawn[0] + [word for piece in drawn[1] for word in piece])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(command_lines)
def test_it_is_understood_or_told_why_not(arguments: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "run", _nothing_comes_of_it)
        result = CliRunner().invoke(app, arguments)
        _forget_the_logs()
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in {0, 2}, result.output
    if result.exit_code == 2:
        assert result.output.strip()  # a reason, or, where nothing was asked for, the help


def _nothing_comes_of_it(command: Coroutine[Any, Any, int]) -> int:
    command.close()
    return 0


def _forget_the_logs() -> None:
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()
