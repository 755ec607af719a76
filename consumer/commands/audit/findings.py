"""What an audit has found: all of it counted, and of each kind the first ones by their coordinates."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from consumer.ledger.entry import Violation
from consumer.ledger.judgement import State
from consumer.ledger.ledger import SOURCELESS, Ledger
from consumer.ledger.page import Kind

REPEATED = "repeated"
WITHOUT_SOURCE: dict[str, Kind] = {kind: of_kind for of_kind, kind in SOURCELESS.items()}


@dataclass(slots=True)
class Findings:
    """Of each kind of violation, and of repetitions, `listed_max` are kept by their coordinates.

    `removed_since`: requests that retention has removed while the audit was running. `outdated`: outcomes of requests
    that are no longer kept. `foreign`: outcomes of requests of other topics.
    """

    listed_max: int
    states: Counter[State] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    listed: defaultdict[str, list[Violation]] = field(default_factory=lambda: defaultdict(list))
    repeated: int = 0
    removed_since: int = 0
    outdated: Counter[Kind] = field(default_factory=Counter)
    foreign: Counter[Kind] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """How many there are in the range."""
        return self.states.total()

    @property
    def verdict(self) -> str:
        """`violated`, or `proved` for every request that is due and whose outcomes are kept; `nothing`, if there is none."""
        if self.violations:
            return "violated"
        return "proved" if self.states["complete"] or self.states["failed"] else "nothing"

    def add(self, violation: Violation) -> None:
        """Count a violation."""
        self.violations[violation.kind] += 1
        self._list(violation)

    def take(self, ledger: Ledger, *, first: bool) -> None:
        """Take over what the ledger of a round says; what has no place in any round is told by the *first* alone."""
        self.states.update(ledger.states())
        if first:
            self.foreign = ledger.foreign
        for violation in ledger.findings():
            if violation.partition >= 0 and (first or violation.kind not in WITHOUT_SOURCE):
                self.add(violation)
        for kind, count in ledger.more_notes.items():
            if first or kind not in WITHOUT_SOURCE:
                self.violations[kind] += count
        for partition, offset, times in ledger.repeated():
            self.repeated += 1
            self._list(Violation(REPEATED, partition, offset, f"{times} times"))

    def _list(self, violation: Violation) -> None:
        if len(listed := self.listed[violation.kind]) < self.listed_max:
            listed.append(violation)
