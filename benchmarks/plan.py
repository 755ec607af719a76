"""What a run of the benchmark measures, in which order, and about how long that takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

from benchmarks.profiles import PROFILES, Profile
from benchmarks.systems import ECHO, EXACTLY_ONCE, HTTP, INLINE, ONE_PARTITION, OURS, PEERS, SYSTEMS, System

Kind = Literal["limits", "drains", "ways", "under_load", "alone"]
TITLES: dict[Kind, str] = {
    "limits": "limits",
    "drains": "backlog",
    "ways": "backlog, the service in other ways",
    "under_load": "latency at half the saturated rate",
    "alone": "latency of a lone batch",
}

# About how long a measurement takes beside what is measured: start, the judge's reading, the end. Measured, in seconds.
OVERHEAD_S: dict[Kind, float] = {"limits": 25.0, "drains": 3.5, "ways": 9.0, "under_load": 15.0, "alone": 4.0}
YARDSTICK_S: dict[Kind, float] = {"drains": 11.0, "alone": 6.0}  # what the service is held against, in each round
WARM_UP_S = 5.5
FILL_S = 12.0  # of a profile's topics
LONE_S = 0.05
BURST = 2.0  # times as long as it is sent, a saturating burst takes to be answered
SIZED = 0.8  # of the seconds that a drain is meant to take; backlogs are rounded down
LATE = 1.1
"""A step that takes so many times what was expected of it has the rounds that it has had."""


class Step(NamedTuple):
    """One kind of measure, of some systems in turn, *rounds* times; *slow_rounds* times of those that are slow.

    Backlogs are drained once more, and first, by each: to warm all up, and to see how much it is to be given. Loads are
    borne *warm_up_loads* times more.
    """

    kind: Kind
    systems: Sequence[System] = ()
    profile: Profile = PROFILES["small"]
    rounds: int = 1
    slow_rounds: int = 1
    warm_up_loads: int = 0

    @property
    def title(self) -> str:
        return f"{TITLES[self.kind]}, {self.profile.name}" if self.systems else TITLES[self.kind]

    @property
    def is_drained(self) -> bool:
        return self.kind in {"drains", "ways"}

    @property
    def warm_up_rounds(self) -> int:
        """How many rounds there are before those that count, for caches and just-in-time compilers."""
        return 1 if self.is_drained else self.warm_up_loads

    def rounds_of(self, system: System) -> int:
        """How many rounds of this system count."""
        return self.slow_rounds if system.pace == "slow" else self.rounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps, and how long each measurement is: *share* shortens all of them, to try the harness itself."""

    name: str
    steps: Sequence[Step]
    share: float = 1.0
    drain_seconds: float = 7.0
    load_spells: int = 3
    spell_seconds: float = 2.0
    saturating_seconds: float = 1.0
    lone_samples: int = 100
    alone_seconds: float = 2.0
    timeout_s: float = 90.0

    @property
    def samples(self) -> int:
        """How many lone batches are sent."""
        return max(1, int(self.lone_samples * self.share))

    def expected_s(self, step: Step) -> float:
        """About how long *step* takes."""
        if step.kind == "limits":
            return OVERHEAD_S["limits"]
        measured_s = {
            "under_load": self.load_spells * (BURST * self.saturating_seconds + self.spell_seconds),
            "alone": self.lone_samples * LONE_S,
        }
        each_s = OVERHEAD_S[step.kind] + measured_s.get(step.kind, self.drain_seconds * SIZED) * self.share
        once_s = FILL_S * self.share + WARM_UP_S * len(step.systems) if step.is_drained else 0.0
        if step.kind == "under_load":
            once_s = each_s * step.warm_up_rounds * len(step.systems)
        if OURS in step.systems:
            once_s += YARDSTICK_S.get(step.kind, 0.0) * step.rounds
        return once_s + sum(step.rounds_of(system) * each_s for system in step.systems)


WAYS = (OURS, EXACTLY_ONCE, HTTP, ONE_PARTITION)
FULL = Plan(
    name="full",
    steps=(
        Step("limits"),
        Step("drains", (OURS, ECHO, *PEERS), PROFILES["small"], rounds=3, slow_rounds=2),
        # Not in turn with others: the broker would compile code anew for each, on the cores that all share.
        Step("under_load", (OURS,), PROFILES["small"], rounds=4, warm_up_loads=3),
        Step("under_load", (EXACTLY_ONCE,), PROFILES["small"], rounds=2, warm_up_loads=1),
        Step("alone", (OURS, INLINE), PROFILES["small"], rounds=4),
        # After the loads, whose many small transactions have the broker compile what a few large ones leave to its interpreter.
        Step("ways", WAYS, PROFILES["small"], rounds=5),
        Step("drains", (OURS, ECHO, *PEERS), PROFILES["medium"], rounds=3),
        Step("drains", (OURS, ECHO, *PEERS), PROFILES["large"], rounds=2),
        Step("drains", (OURS, *PEERS), PROFILES["mixed"], rounds=1),
        Step("under_load", PEERS, PROFILES["small"], rounds=1),
        Step("alone", (EXACTLY_ONCE, *(peer for peer in PEERS if peer is not INLINE)), PROFILES["small"], rounds=1),
    ),
)
QUICK = Plan(
    name="quick",
    steps=tuple(
        Step("drains", (OURS, *(SYSTEMS[name] for name in ("kafka-streams", "arroyo", "faststream"))), profile, 2)
        for profile in (PROFILES["small"], PROFILES["medium"])
    ),
    share=0.6,
)


def described(plan: Plan) -> str:
    """The plan for whoever waits: each step with the time it will take, and the sum of them."""
    expected = [plan.expected_s(step) for step in plan.steps]
    lines = (
        f"{seconds / 60:5.1f} min  {step.title}: {', '.join(system.name for system in step.systems) or 'all profiles'}"
        for step, seconds in zip(plan.steps, expected, strict=True)
    )
    total = f"{sum(expected) / 60:5.1f} min  in all; rounds are left out rather than take more than {sum(expected) * LATE / 60:.0f}"
    return "\n".join(chain(lines, [total]))
