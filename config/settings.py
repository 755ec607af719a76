"""Every setting of an instance: its name with the unit, its default, its bounds and what it means.

`Settings` only validates what it is given, and reads nothing by itself; `config.sources.load` gathers flags, environment
and file. The groups below make one flat namespace (`settings.workers`), and are the headings of the README's tables.
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from config.conflicts import ConflictsError, conflicts
from config.connection import Connection
from config.http import Http
from config.instance import Lifetime, Logs, Work
from config.kafka import Fetching, Membership, Publishing, Topics
from config.security import Security
from config.traces import Traces

GROUPS: tuple[type[BaseModel], ...] = (
    Connection,
    Security,
    Topics,
    Membership,
    Fetching,
    Publishing,
    Work,
    Lifetime,
    Http,
    Logs,
    Traces,
)


class Settings(Traces, Logs, Http, Lifetime, Work, Publishing, Fetching, Membership, Topics, Security, Connection):
    """The settings of one instance, validated, consistent with one another and unchangeable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="after")
    def _must_agree(self) -> Self:
        if found := conflicts(self):
            raise ConflictsError(found)
        return self
