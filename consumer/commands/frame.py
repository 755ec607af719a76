"""What the commands have in common: settings are loaded, logs set up, and failures told in a line."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from config.sources import Loaded

INTERRUPTED = 130

Returned = TypeVar("Returned")


def load(config: Path | None, assignments: list[str] | None, **flags: str | None) -> "Loaded":
    """Return the settings, or end with all their mistakes and exit code 2."""
    from config.sources import SettingsError, load

    overrides: dict[str, str] = {name: value for name, value in flags.items() if value is not None}
    problems = []
    for assignment in assignments or []:
        name, equals, value = assignment.partition("=")
        if equals:
            overrides[name.strip()] = value
        else:
            problems.append(f"--set {assignment}: write NAME=VALUE")
    try:
        loaded = load(config, overrides)
    except SettingsError as error:
        problems += error.problems
    if problems:
        _end("\n".join(problems), exit_code=2)
    return loaded


def log_to_stderr(loaded: "Loaded") -> None:
    """Keep standard output for data, and be quiet unless told otherwise."""
    from config.logging import configure
    from config.sources import DEFAULT

    if loaded.origins["log_level"] != DEFAULT:
        configure(loaded.settings, sys.stderr)
        return
    configure(loaded.settings.model_copy(update={"log_level": "error"}), sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it complains of ten times a second is told once


def complete(command: Coroutine[Any, Any, Returned]) -> Returned:
    """Run a command to its end; what it fails by is told in a line."""
    return call(lambda: asyncio.run(command))


def call(command: Callable[[], Returned]) -> Returned:
    """The same for a command that needs no event loop."""
    from consumer.failures import Failure

    try:
        return command()
    except Failure as failure:
        _end(str(failure), exit_code=failure.exit_code)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _end(message: str, *, exit_code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(exit_code)
