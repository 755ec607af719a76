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
from hypothesis import given
from hypothesis import strategies as st

from config.logging import configure
from config.settings import Settings

FORGERY = "id\n2026-01-01T00:00:00Z [info     ] all is well\r\x1b[2J\x9b1m\u2028\u202e"


INDISCREET = ["aiokafka.conn", "aiokafka.producer.producer"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, clients = logging.getLogger(), [logging.getLogger(name) for name in INDISCREET]
    handlers, level, client_levels = root.handlers[:], root.level, [client.level for client in clients]
    root.handlers = []  # those of the test runner would be closed
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    for client, client_level in zip(clients, client_levels, strict=True):
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


@pytest.mark.parametrize("name", INDISCREET)
def test_the_client_never_writes_out_its_requests(name: str) -> None:
    """At debug they hold the SASL password, and every record."""
    stream = logs_to(io.StringIO(), log_level="debug")
    logging.getLogger(name).debug("Request: %s", "SaslAuthenticateRequest(hunter2)")
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


@pytest.mark.parametrize("log_format", ["json", "console"])
@given(
    batchid=st.text(max_size=256), hidden=st.sampled_from(["", FORGERY, "\r", "\x1b]0;title\x07", "\u2066", "\ud800"])
)
def test_whatever_a_batchid_is_it_stays_in_its_line(
    log_format: Literal["json", "console"], batchid: str, hidden: str
) -> None:
    """Nor does it move the cursor, change the colours or the title, or turn the direction of what is behind it."""
    stream = logs_to(io.StringIO(), log_format)
    structlog.get_logger("ours").warning("dead letter", batchid=batchid + hidden, reason="invalid_request")
    written = stream.getvalue()
    assert written.endswith("\n")
    assert written[:-1].isprintable()
    written.encode()


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
