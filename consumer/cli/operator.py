"""The commands of whoever runs the service: what is wrong, and what it can do."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick and a worker process never pays for any of it

from typing import Annotated

import typer

from consumer.cli.options import EXIT_CODES, Assignments, BootstrapServers, ConfigFile, Json
from consumer.commands.frame import complete, load, log_to_stderr

commands = typer.Typer()


@commands.command(epilog=EXIT_CODES)
def check(
    *,
    grace_period: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long after SIGTERM the process is killed: the supervisor's or container's setting.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Say what is wrong with brokers, topics, permissions, settings and limits, worst first, and how to mend it.

    Joins, makes and changes nothing. Ends with 9 if there are errors, with 10 if there are warnings alone.
    """
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.check.command import check as check_command

    raise typer.Exit(complete(check_command(loaded.settings, grace_period_s=grace_period, as_json=as_json)))
