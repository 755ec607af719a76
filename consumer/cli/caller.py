"""The commands of whoever sends requests and reads what becomes of them."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick and a worker process never pays for any of it

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from consumer.cli.options import EXIT_CODES, Assignments, BootstrapServers, ConfigFile, Json
from consumer.commands.frame import complete, load, log_to_stderr

commands = typer.Typer()
topics = typer.Typer(no_args_is_help=True, help="The topics of the service.")
commands.add_typer(topics, name="topics")


class Start(StrEnum):
    """Where reading begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


@commands.command(epilog=EXIT_CODES)
def submit(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE|-", help="JSON lines, one request a line; blank ones are skipped."),
    ] = None,
    generate: Annotated[
        int | None, typer.Option(min=1, help="Make up so many requests instead.", show_default=False)
    ] = None,
    lists: Annotated[int, typer.Option(min=0, help="Lists in a generated request.")] = 4,
    integers: Annotated[int, typer.Option(min=0, help="Integers in each of them.")] = 25,
    seed: Annotated[int, typer.Option(help="The same seed makes the same requests.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Print the answers, in the order of the requests.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds without any answer after which --wait gives up.")
    ] = 60,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Send requests. With --wait it ends non-zero if a batch failed or its answer is missing."""
    if (file is None) == (generate is None):
        raise typer.BadParameter("give either a FILE (or -) or --generate", param_hint="FILE|-")
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands import submit as command
    from consumer.commands.requests import from_generator, from_lines

    with ExitStack() as reading:
        requests = (
            from_lines(reading.enter_context(_open(file)))
            if file is not None
            else from_generator(batches=generate or 0, lists=lists, integers=integers, seed=seed)
        )
        submission = (
            command.submit_and_wait(loaded.settings, requests, total=generate, timeout_s=timeout, as_json=as_json)
            if wait
            else command.submit(loaded.settings, requests, total=generate, as_json=as_json)
        )
        raise typer.Exit(complete(submission))


@contextmanager
def _open(file: Path) -> Iterator[int]:
    if str(file) == "-":
        if sys.stdin is None:  # and its number may be anybody's by now
            raise typer.BadParameter("the standard input is closed", param_hint="FILE|-")
        yield 0
        return
    try:
        opened = file.open("rb")
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"it cannot be read: {error}", param_hint="FILE|-") from None
    with opened:
        yield opened.fileno()


@commands.command(epilog=EXIT_CODES)
def results(
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with the answers to come.")] = False,
    start: Annotated[
        Start | None,
        typer.Option("--from", help="Where to begin; latest if --follow, else earliest.", show_default=False),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Print the answers, one a line, as they were published."""
    if start is Start.LATEST and not follow:
        raise typer.BadParameter("there is nothing after the latest answer; add --follow", param_hint="--from")
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.results import results as results_command

    begin = start or (Start.LATEST if follow else Start.EARLIEST)
    complete(results_command(loaded.settings, start=begin.value, follow=follow, as_json=as_json))


@topics.command(epilog=EXIT_CODES)
def create(
    *,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of each topic.")] = 4,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each partition.")] = 1,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Create the request, result and dead letter topics; those that exist are left as they are."""
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.topics import create as create_command

    complete(create_command(loaded.settings, partitions=partitions, replication=replication, as_json=as_json))
