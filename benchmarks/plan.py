"""What a run of the benchmark measures: everything, or what is to be had in under five minutes."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.profiles import PROFILES, Backlogs, Profile
from benchmarks.systems import ECHO, EXACTLY_ONCE, OURS, PEERS, SYSTEMS, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is measured on what, how often, and for how long. The first round of all is to warm up, and not counted.

    *share* of the profiles' backlogs is drained. Where *complete* is false, only backlogs are, and nothing else.
    """

    name: str
    systems: Sequence[System]
    profiles: Sequence[Profile]
    rounds: int
    share: float
    complete: bool
    drain_timeout_s: float = 120.0
    load_seconds: float = 8.0
    lone_samples: int = 200
    limit_seconds: float = 5.0

    def backlog(self, system: System, profile: Profile) -> int:
        """How many batches *system* is given: enough for some seconds, and the slower it is, the fewer."""
        backlogs: Backlogs = profile.backlogs
        return max(8, int(getattr(backlogs, system.pace) * self.share))


FULL = Plan(
    name="full",
    systems=(OURS, EXACTLY_ONCE, ECHO, *PEERS),
    profiles=tuple(PROFILES.values()),
    rounds=3,
    share=1.0,
    complete=True,
)
QUICK = Plan(
    name="quick",
    systems=(OURS, *(SYSTEMS[name] for name in ("kafka-streams", "arroyo", "faststream"))),
    profiles=(PROFILES["small"], PROFILES["medium"]),
    rounds=2,
    share=0.3,
    complete=False,
)
