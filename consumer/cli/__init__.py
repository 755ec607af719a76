"""The command line. What a command does stands in `consumer.commands`, and is imported when that command runs."""

from importlib.metadata import version
from typing import Annotated

import typer

from consumer.cli import caller, documents, letters, operator, service, why
from consumer.cli.options import EXIT_CODES

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, epilog=EXIT_CODES)
for room in (service, caller, letters, operator, why, documents):
    app.add_typer(room.commands)


@app.callback(invoke_without_command=True)
def batchsum(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Sum batches of integer lists that come by Kafka, in a pool of processes, and lose none."""
    if show_version:
        typer.echo(f"batchsum {version('batchsum')}")
        raise typer.Exit
