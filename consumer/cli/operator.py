"""The commands of whoever runs the service: what is wrong, and what it can do."""
# ruff: noqa: PLC0415 - imports are late, so that --help is quick and a worker process never pays for any of it

from typing import Annotated

import typer

from consumer.cli.options import EXIT_CODES, Assignments, BootstrapServers, ConfigFile, Json
from consumer.cli.ranges import Offsets, Partitions, Since, Until, offsets
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


@commands.command(epilog=EXIT_CODES)
def bench(
    *,
    lists: Annotated[int, typer.Option(min=0, max=100_000, help="Lists in a batch.")] = 4,
    integers: Annotated[int, typer.Option(min=0, max=100_000, help="Integers in each of them.")] = 25,
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="For each measurement.")] = 5,
    target: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Batches a second that you will have; what they need is suggested.", show_default=False
        ),
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=1, max=10_000, help="Partitions of its topics, on brokers of yours.")
    ] = 4,
    replication: Annotated[int, typer.Option(min=1, max=100, help="Copies of each partition, likewise.")] = 1,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Measure what an instance does here: its rate when saturated, its latency at half of it, and what to set.

    With --bootstrap-servers on these brokers, which it keeps busy; its topics are its own, and removed at the end.
    Otherwise on an embedded broker, whatever the settings say.
    """
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.bench.command import Plan
    from consumer.commands.bench.command import bench as bench_command
    from consumer.commands.bench.figures import Shape

    plan = Plan(
        shape=Shape(lists, integers),
        seconds=seconds,
        embedded=bootstrap_servers is None,
        partitions=partitions,
        replication=replication,
        target=target,
    )
    complete(bench_command(loaded.settings, plan, as_json=as_json))


@commands.command(epilog=EXIT_CODES)
def audit(
    *,
    since: Since = None,
    until: Until = None,
    partitions: Partitions = None,
    chosen: Offsets = None,
    exactly_once: Annotated[
        bool,
        typer.Option(
            "--exactly-once", help="Repeated outcomes are violations; so they are with delivery=exactly_once."
        ),
    ] = False,
    all_due: Annotated[
        bool, typer.Option("--all-due", help="Outcomes are due of all requests, not only below the group's offsets.")
    ] = False,
    at_once: Annotated[
        int,
        typer.Option(
            min=1_000,
            max=1_000_000_000,
            help="Requests in memory at most, at 40 bytes each; what is more is looked at in rounds.",
        ),
    ] = 1_000_000,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Coordinates at most, of each kind.")] = 5,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Prove that each request has its outcome, that every sum is right, and that nothing is doubled or out of order.

    Reads requests, answers and dead letters, computes every sum again, joins no group and writes nothing. Partitions,
    offsets and times are those of requests; by default all that there are when it begins. Ends with 8 if a promise
    was not kept.
    """
    first, end = offsets(chosen)
    loaded = load(config, assignments, bootstrap_servers=bootstrap_servers)
    log_to_stderr(loaded)
    from consumer.commands.audit.command import Plan
    from consumer.commands.audit.command import audit as audit_command
    from consumer.commands.audit.scope import Range

    requests = Range(
        partitions=frozenset(partitions or ()), first=first, end=end, since=since, until=until, all_due=all_due
    )
    plan = Plan(
        chosen=requests,
        delivery="exactly_once" if exactly_once else loaded.settings.delivery,
        at_once=at_once,
        listed_max=limit,
    )
    raise typer.Exit(complete(audit_command(loaded.settings, plan, as_json=as_json)))
