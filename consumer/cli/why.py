"""The command that asks a running instance what it is doing."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick

from typing import Annotated

import typer

from consumer.cli.options import EXIT_CODES, Assignments, ConfigFile, Json
from consumer.commands.frame import call, load

commands = typer.Typer()


@commands.command(epilog=EXIT_CODES)
def why(
    *,
    url: Annotated[
        str | None,
        typer.Option(help="The instance's HTTP port; by default, the one of the settings.", show_default=False),
    ] = None,
    pid: Annotated[
        int | None,
        typer.Option(min=2, help="Have the instance with this process id tell it on its own standard error instead."),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """What each lane and worker of an instance is doing now, for how long, and where in the code. Nothing is stopped for it."""
    from consumer.commands.why import ask, signal_to

    if pid is not None:
        if url is not None or as_json:
            raise typer.BadParameter(
                "it goes with neither --url nor --json: the instance prints for itself", param_hint="--pid"
            )
        call(lambda: signal_to(pid))
        return
    settings = load(config, assignments).settings
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    call(lambda: ask(url or f"http://{host}:{settings.http_port}", as_json=as_json))
