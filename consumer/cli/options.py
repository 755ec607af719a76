"""What the commands' options have in common."""

from pathlib import Path
from typing import Annotated, Any

import typer

EXIT_CODES = (
    "Exit codes: 0 done · 1 unexpected error · 2 usage or settings · 3 could not connect (brokers, credentials, topics) · "
    "4 workers cannot start or keep failing · 5 no progress, or an outage too long · 6 forced to stop before drained · "
    "7 the committed offset is no longer in the log, and lost_offsets is stop · "
    "8 a request was refused, its batch failed, or its answer is wrong, missing or doubled · "
    "9 check has found errors · 10 check has found warnings · "
    "11 another instance has the same group_instance_id · 130 interrupted"
)

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


def setting(name: str, text: str) -> Any:
    """An option that is a setting by its own name."""
    return typer.Option("--" + name.replace("_", "-"), help=text, show_default=False, metavar="VALUE")


BootstrapServers = Annotated[str | None, setting("bootstrap_servers", "Brokers, as host:port,host:port.")]
