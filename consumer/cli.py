"""The command line. What a command does stands in `consumer.commands`, and is imported when that command runs."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick and a worker process never pays for any of it

import asyncio
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from consumer.commands.frame import complete, load, log_to_stderr

EXIT_CODES = (
    "Exit codes: 0 done · 1 unexpected error · 2 usage or settings · 3 could not connect (brokers, credentials, topics) · "
    "4 workers cannot start or keep failing · 5 no progress, or an outage too long · 6 forced to stop before drained · "
    "7 the committed offset is no longer in the log, and lost_offsets is stop · "
    "8 a request was refused, its batch failed, or its answer is wrong or missing · 130 interrupted"
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, epilog=EXIT_CODES)
topics = typer.Typer(no_args_is_help=True, help="The topics of the service.")
app.add_typer(topics, name="topics")

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings as a TOML file; also by BATCHSUM_CONFIG.", show_default=False
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting, by its name; repeat as needed.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def _setting(name: str, text: str) -> Any:
    return typer.Option("--" + name.replace("_", "-"), help=text, show_default=False, metavar="VALUE")


BootstrapServers = Annotated[str | None, _setting("bootstrap_servers", "Brokers, as host:port,host:port.")]


class Start(StrEnum):
    """Where reading begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


@app.callback(invoke_without_command=True)
def batchsum(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Sum batches of integer lists that come by Kafka, in a pool of processes, and lose none."""
    if show_version:
        typer.echo(f"batchsum {version('batchsum')}")
        raise typer.Exit


@app.command(epilog=EXIT_CODES)
def run(
    *,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
    group_id: Annotated[str | None, _setting("group_id", "Consumer group.")] = None,
    request_topic: Annotated[str | None, _setting("request_topic", "Where requests come from.")] = None,
    result_topic: Annotated[str | None, _setting("result_topic", "Where answers go.")] = None,
    dead_letter_topic: Annotated[str | None, _setting("dead_letter_topic", "Where failed requests go.")] = None,
    workers: Annotated[str | None, _setting("workers", "Worker processes.")] = None,
    log_level: Annotated[str | None, _setting("log_level", "The least that is logged.")] = None,
    log_format: Annotated[str | None, _setting("log_format", "json, console or auto.")] = None,
    embedded: Annotated[bool, typer.Option("--embedded", help="With a broker of its own on localhost:9092.")] = False,
) -> None:
    """Run the service until SIGTERM or SIGINT: drain, commit, leave the group."""
    loaded = load(
        config,
        assignments,
        bootstrap_servers=bootstrap_servers,
        group_id=group_id,
        request_topic=request_topic,
        result_topic=result_topic,
        dead_letter_topic=dead_letter_topic,
        workers=workers,
        log_level=log_level,
        log_format=log_format,
    )
    from config.logging import configure
    from consumer.commands.run import run as run_command

    configure(loaded.settings)
    raise typer.Exit(asyncio.run(run_command(loaded.settings, embedded=embedded)))


@app.command(epilog=EXIT_CODES)
def demo(
    *,
    batches: Annotated[int, typer.Option(min=1, help="Generated batches.")] = 3_000,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """See the whole service at work: a broker, an instance and a caller in this process; every sum is checked."""
    loaded = load(config, assignments)
    log_to_stderr(loaded)
    from consumer.commands.demo import demo as demo_command

    raise typer.Exit(complete(demo_command(loaded.settings, batches=batches)))


@app.command(epilog=EXIT_CODES)
def submit(
    *,
    file: Annotated[
        typer.FileBinaryRead | None,
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

    requests = (
        from_lines(file.fileno())
        if file is not None
        else from_generator(batches=generate or 0, lists=lists, integers=integers, seed=seed)
    )
    submission = (
        command.submit_and_wait(loaded.settings, requests, total=generate, timeout_s=timeout, as_json=as_json)
        if wait
        else command.submit(loaded.settings, requests, total=generate, as_json=as_json)
    )
    raise typer.Exit(complete(submission))


@app.command(epilog=EXIT_CODES)
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


@app.command("config", epilog=EXIT_CODES)
def show_config(
    *,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Print the effective settings, and where each comes from. Secrets are masked."""
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    from consumer.commands.configuration import show

    show(loaded, as_json=as_json)
