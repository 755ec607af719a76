"""The commands that run the service, or show how it would run."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick and a worker process never pays for any of it

import asyncio
from typing import Annotated

import typer

from consumer.cli.options import EXIT_CODES, Assignments, BootstrapServers, ConfigFile, Json, setting
from consumer.commands.frame import complete, load, log_to_stderr

commands = typer.Typer()


@commands.command(epilog=EXIT_CODES)
def run(
    *,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
    group_id: Annotated[str | None, setting("group_id", "Consumer group.")] = None,
    request_topic: Annotated[str | None, setting("request_topic", "Where requests come from.")] = None,
    result_topic: Annotated[str | None, setting("result_topic", "Where answers go.")] = None,
    dead_letter_topic: Annotated[str | None, setting("dead_letter_topic", "Where failed requests go.")] = None,
    workers: Annotated[str | None, setting("workers", "Worker processes.")] = None,
    log_level: Annotated[str | None, setting("log_level", "The least that is logged.")] = None,
    log_format: Annotated[str | None, setting("log_format", "json, console or auto.")] = None,
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


@commands.command(epilog=EXIT_CODES)
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


@commands.command("config", epilog=EXIT_CODES)
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
