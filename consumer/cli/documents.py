"""The command that prints the contract."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick and a worker process never pays for any of it

from enum import StrEnum
from typing import Annotated

import typer

from consumer.cli.options import EXIT_CODES, Assignments, ConfigFile
from consumer.commands.frame import load

commands = typer.Typer()


class Document(StrEnum):
    """What can be printed."""

    REQUEST = "request"
    RESPONSE = "response"
    DEAD_LETTER = "dead-letter"
    ASYNCAPI = "asyncapi"


@commands.command(epilog=EXIT_CODES)
def schema(
    *,
    document: Annotated[Document, typer.Argument(help="JSON Schema of one, or the AsyncAPI document of all.")],
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Print the contract as a document: JSON Schemas, or AsyncAPI 3 with the topics of the settings."""
    loaded = load(config, assignments)
    from consumer.commands.schema import schema as schema_command

    schema_command(loaded.settings, document.value)
