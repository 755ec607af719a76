"""What is entered in the ledger: records of any topic, and what is to become of a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from domain.batch import Code

Delivery = Literal["at_least_once", "exactly_once"]
Headers = Sequence[tuple[str, bytes | None]]

COMPLETE = "complete"
VERDICTS = (COMPLETE, *Code)


class Entry(NamedTuple):
    """A record of any topic, as a reader sees it. The timestamp is in milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What may become of a request: one of `verdicts`, `complete` or a code, and if it is complete, these sums.

    Sums may be given as their digits; None: nobody knows them. `replied`: should it fail, there is to be a failed
    answer beside the dead letter; None: there may be one.
    """

    batchid: str | None = None
    sums: Sequence[int | str] | None = ()
    verdicts: Sequence[str] = (COMPLETE,)
    replied: bool | None = True


class Violation(NamedTuple):
    """A promise that was not kept, and for which request: where it stands, or -1 where no single one is to blame."""

    kind: str
    partition: int
    offset: int
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}: {self.kind}{self.detail and f' ({self.detail})'}"
