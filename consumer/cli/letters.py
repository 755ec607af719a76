"""The commands of whoever looks after what could not be processed."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick and a worker process never pays for any of it

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import EXIT_CODES, Assignments, BootstrapServers, ConfigFile, Json
from consumer.cli.ranges import Offsets, Partitions, Since, Until, offsets
from consumer.commands.frame import complete, load, log_to_stderr

if TYPE_CHECKING:
    from consumer.commands.dead_letters.selection import Selection
    from consumer.commands.moment import Moment

commands = typer.Typer()
dead_letters = typer.Typer(no_args_is_help=True, help="What could not be processed: look at it, keep it, replay it.")
commands.add_typer(dead_letters, name="dead-letters")

Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Only with this reason; repeat as needed.", show_default=False)
]
Batchids = Annotated[
    list[str] | None, typer.Option("--batchid", help="Only of this batch; repeat as needed.", show_default=False)
]


@dead_letters.command("list", epilog=EXIT_CODES)
def list_letters(
    *,
    reasons: Reasons = None,
    batchids: Batchids = None,
    partitions: Partitions = None,
    chosen: Offsets = None,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Count the dead letters by reason, and name the newest of each."""
    selection = select(reasons, batchids, partitions, chosen, since=since, until=until)
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.dead_letters.listing import list_letters as command

    complete(command(loaded.settings, selection, as_json=as_json))


@dead_letters.command(epilog=EXIT_CODES)
def show(
    *,
    reasons: Reasons = None,
    batchids: Batchids = None,
    partitions: Partitions = None,
    chosen: Offsets = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Letters at most.")] = 10,
    value_bytes: Annotated[int, typer.Option(min=1, max=2**20, help="Bytes of a value at most.")] = 2_000,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Show dead letters: reason, headers and value, with control characters written out."""
    selection = select(reasons, batchids, partitions, chosen, since=since, until=until)
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.dead_letters.listing import show as command

    complete(command(loaded.settings, selection, letters_max=limit, bytes_max=value_bytes, as_json=as_json))


@dead_letters.command(epilog=EXIT_CODES)
def export(
    *,
    reasons: Reasons = None,
    batchids: Batchids = None,
    partitions: Partitions = None,
    chosen: Offsets = None,
    since: Since = None,
    until: Until = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Print dead letters as JSON lines, with every byte: text as text, what is no UTF-8 as {"base64": "..."}."""
    selection = select(reasons, batchids, partitions, chosen, since=since, until=until)
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.dead_letters.listing import export as command

    complete(command(loaded.settings, selection))


@dead_letters.command(epilog=EXIT_CODES)
def replay(
    *,
    reasons: Reasons = None,
    batchids: Batchids = None,
    partitions: Partitions = None,
    chosen: Offsets = None,
    since: Since = None,
    until: Until = None,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Replay what was exported to this file instead.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, instead of telling what would be done.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, whatever an earlier run has done.")] = False,
    rate: Annotated[int, typer.Option(min=1, max=100_000, help="Letters a second at most.")] = 500,
    replays_max: Annotated[
        int, typer.Option(min=1, max=1_000, help="Refuse what was replayed so many times before.")
    ] = 3,
    now: Annotated[
        bool, typer.Option("--now", help="With the time of the replay as timestamp, for what retention would delete.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Write requests that failed to the request topic again, as they were. Ends with 8 if any of them is refused."""
    selection = select(reasons, batchids, partitions, chosen, since=since, until=until)
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.dead_letters.replay import Plan
    from consumer.commands.dead_letters.replay import replay as command

    plan = Plan(selection=selection, file=file, again=again, letters_per_s=rate, replays_max=replays_max, now=now)
    raise typer.Exit(complete(command(loaded.settings, plan, yes=yes, as_json=as_json)))


def select(
    reasons: list[str] | None,
    batchids: list[str] | None,
    partitions: list[int] | None,
    chosen: str | None,
    *,
    since: "Moment | None",
    until: "Moment | None",
) -> "Selection":
    """The selection that the options make."""
    from consumer.commands.dead_letters.selection import Selection
    from domain.batch import Code

    for reason in reasons or []:
        if reason not in {*Code}:
            raise typer.BadParameter(f"no such reason: {reason}; one of {', '.join(Code)}", param_hint="--reason")
    first, end = offsets(chosen)
    return Selection(
        reasons=frozenset(reasons or ()),
        batchids=frozenset(batchids or ()),
        partitions=frozenset(partitions or ()),
        first=first,
        end=end,
        since=since,
        until=until,
    )
