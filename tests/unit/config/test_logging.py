"""Logs: one shape for ours and the libraries', and nothing in a value that forges a line."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest
import structlog

from config.logging import configure
from config.settings import Settings

FORGERY = "id\n2026-01-01T00:00:00Z [info     ] all is well\r\x1b[2J\x9b1m\u2028\u202e"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, client = logging.getLogger(), logging.getLogger("aiokafka.conn")
    handlers, level, client_level = root.handlers[:], root.level, client.level
    root.handlers = []  # those of the test runner would be closed
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    client.setLevel(client_level)
    root.setLevel(level)
    root.handlers = handlers


def logs_to(
    stream: io.StringIO,
    log_format: Literal["auto", "json", "console"] = "json",
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> io.StringIO:
    configure(Settings(log_format=log_format, log_level=log_level), stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_same_keys_first() -> None:
    stream = logs_to(io.StringIO())
    structlog.get_logger("consumer.lane").warning("dead letter", partition=3, batchid="id0101")
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "logger", "partition", "batchid"]
    assert line | {"timestamp": ""} == {
        "timestamp": "",
        "level": "warning",
        "event": "dead letter",
        "logger": "consumer.lane",
        "partition": 3,
        "batchid": "id0101",
    }


def test_timestamps_are_rfc_3339_in_utc() -> None:
    stream = logs_to(io.StringIO())
    structlog.get_logger("x").info("hello")
    stamp = lines(stream)[0]["timestamp"]
    assert stamp.endswith("Z")
    assert datetime.fromisoformat(stamp).utcoffset() == timedelta(0)


def test_lines_of_the_libraries_have_the_same_shape() -> None:
    stream = logs_to(io.StringIO())
    logging.getLogger("aiokafka.consumer").warning("lost %s of %d", "one", 2, extra={"topic": "t"})
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "logger", "topic"]
    assert (line["level"], line["event"], line["logger"]) == ("warning", "lost one of 2", "aiokafka.consumer")


def test_warnings_of_python_come_by_the_same_pipe() -> None:
    stream = logs_to(io.StringIO())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("careful", stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "careful" in line["event"]


def test_an_exception_is_part_of_its_line() -> None:
    stream = logs_to(io.StringIO())
    for logger in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        logger.error("failed", exc_info=ValueError("broken"))
    for line, name in zip(lines(stream), ("ours", "theirs"), strict=True):
        assert (line["logger"], line["level"], line["event"]) == (name, "error", "failed")
        assert line["exception"].endswith("ValueError: broken")


def test_what_is_below_the_level_is_not_logged() -> None:
    stream = logs_to(io.StringIO(), log_level="warning")
    structlog.get_logger("ours").info("hello")
    logging.getLogger("theirs").info("hello")
    assert stream.getvalue() == ""


def test_the_client_never_writes_out_its_requests() -> None:
    """At debug they hold the SASL password, and every record."""
    stream = logs_to(io.StringIO(), log_level="debug")
    logging.getLogger("aiokafka.conn").debug("Request: %s", "SaslAuthenticateRequest(hunter2)")
    structlog.get_logger("ours").debug("chunk delivered")
    assert [line["event"] for line in lines(stream)] == ["chunk delivered"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_value_cannot_forge_a_line(log_format: Literal["json", "console"]) -> None:
    stream = logs_to(io.StringIO(), log_format)
    structlog.get_logger("ours").warning(FORGERY, batchid=FORGERY, nested=[FORGERY], **{FORGERY: 1})
    logging.getLogger("theirs").warning("%s", FORGERY)
    written = stream.getvalue()
    assert written.count("\n") == 2
    assert written.replace("\n", "").isprintable()


def test_an_exception_cannot_forge_a_line_on_the_console() -> None:
    """A traceback has lines of its own; each of them is indented, as no line of the log is."""
    stream = logs_to(io.StringIO(), "console")
    structlog.get_logger("ours").error("failed", exc_info=ValueError(FORGERY))
    first, *others = stream.getvalue().removesuffix("\n").split("\n")
    assert "failed" in first
    assert any("all is well" in line for line in others)
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_auto_is_readable_on_a_terminal_and_json_elsewhere() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        logs_to(stream, "auto")
        structlog.get_logger("ours").info("hello", partition=3)
    assert lines(pipe)[0]["partition"] == 3
    assert "hello" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_configuring_twice_does_not_double_the_lines() -> None:
    first, second = logs_to(io.StringIO()), logs_to(io.StringIO())
    structlog.get_logger("ours").info("hello")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1
