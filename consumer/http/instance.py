"""What the HTTP port may see of the instance behind it."""

from typing import Protocol

from consumer.health import Checks
from consumer.recent import Recent
from consumer.snapshot import Snapshot
from consumer.why import Why
from domain.batch import Outcome


class Health(Protocol):
    """What its probes tell."""

    def liveness(self) -> Checks:
        """What only a restart would mend."""

    def readiness(self) -> Checks:
        """What keeps it from its work at the moment, and may well pass."""


class Instance(Protocol):
    """One running service."""

    @property
    def health(self) -> Health: ...
    @property
    def recent(self) -> Recent: ...
    def snapshot(self) -> Snapshot:
        """What it is doing now."""

    async def process_batch(self, value: bytes) -> Outcome:
        """The outcome of a batch that came from no topic.

        Raises:
            WorkersFailing: The workers cannot be started, or keep failing.
        """

    async def why(self) -> Why:
        """The same, and where in the code."""
