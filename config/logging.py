"""Logs: one pipe and one shape for this project's lines, and for those of the libraries."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.settings import Settings

_FIRST_KEYS = ("timestamp", "level", "event", "logger")
_LAST_KEYS = ("exception", "stack")

# At debug they write out every request and response, and every record: passwords (SASL), and what batches hold.
_INDISCREET_LOGGERS = ("aiokafka.conn", "aiokafka.producer.producer")


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard output), as `settings` say.

    Commands whose standard output is data give standard error.
    """
    target = sys.stdout if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    readable = settings.log_format == "console" or (settings.log_format == "auto" and target.isatty())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_readable(colors=target.isatty()) if readable else _json()),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _INDISCREET_LOGGERS:
        logging.getLogger(name).setLevel(max(level, logging.INFO))
    logging.captureWarnings(capture=True)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _json() -> list[Processor]:
    return [_in_order, structlog.processors.JSONRenderer()]


def _readable(*, colors: bool) -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    return [_escape, _in_order, renderer]


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the keys every line has first, and the long ones last."""
    between = [key for key in event if key not in {*_FIRST_KEYS, *_LAST_KEYS}]
    return {key: event[key] for key in (*_FIRST_KEYS, *between, *_LAST_KEYS) if key in event}


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write out control characters, so that no value (a batchid, say) forges a line or moves the cursor.

    JSON does this by itself. Tracebacks keep their lines, indented: none of them can pass for a line of the log.
    """
    return {printable(key): _indented(value) if key in _LAST_KEYS else printable(value) for key, value in event.items()}


def _indented(text: object) -> str:
    return "\n".join(f"    {printable(line)}" for line in str(text).split("\n"))


def printable(value: object) -> str:
    """Return `value` as text with its control characters written out, safe to show on a terminal and in one line."""
    text = value if isinstance(value, str) else repr(value)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
