"""What the HTTP port may see of the instance behind it."""

from typing import Protocol

from consumer.health import Checks


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
