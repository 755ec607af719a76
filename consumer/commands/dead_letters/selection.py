"""Which dead letters are meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumer.commands.dead_letters.letter import Letter
from consumer.commands.moment import Moment
from consumer.kafka.history import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Letters that meet every condition that is given; partitions and offsets are those of the dead letter topic.

    `since` and `until` bound the time at which they failed; the offsets run from `first` to below `end`.
    """

    reasons: frozenset[str] = frozenset()
    batchids: frozenset[str] = frozenset()
    partitions: frozenset[int] = frozenset()
    first: int | None = None
    end: int | None = None
    since: Moment | None = None
    until: Moment | None = None

    def spans(self, spans: Sequence[Span]) -> list[Span]:
        """What of *spans* is to be read."""
        return [
            span.within(start=self.first, end=self.end)
            for span in spans
            if not self.partitions or span.partition in self.partitions
        ]

    def takes(self, letter: Letter) -> bool:
        """Whether *letter* is meant."""
        at = letter.entry
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.partitions or at.partition in self.partitions)
            and (self.first is None or at.offset >= self.first)
            and (self.end is None or at.offset < self.end)
            and self._takes_time(letter.failed_at)
            and (not self.batchids or letter.batchid in self.batchids)  # last, because it parses the request
        )

    def _takes_time(self, failed_at: datetime | None) -> bool:
        if failed_at is None:
            return self.since is None and self.until is None
        return (self.since is None or failed_at >= self.since.at) and (self.until is None or failed_at < self.until.at)

    def conditions(self) -> str:
        """All of them, the same text for the same selection, whenever it is made."""
        sets = [sorted(each) for each in (self.reasons, self.batchids)]
        times = [each and each.text for each in (self.since, self.until)]
        return repr((sets, sorted(self.partitions), self.first, self.end, times))
