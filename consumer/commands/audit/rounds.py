"""A range of requests, cut into rounds of which each fits into memory, and where the outcomes of each round stand."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from consumer.kafka.history import Span
from consumer.ledger.entry import Entry
from consumer.ledger.page import Kind


class Rounds:
    """*spans* of requests in rounds of at most *at_once* offsets, and one more for each partition.

    Each round has the same share of every partition, so that rounds follow one another in time, as their outcomes do.
    """

    def __init__(self, spans: Sequence[Span], at_once: int) -> None:
        self._spans = {span.partition: span for span in spans}
        self.count = max(1, -(-sum(map(len, spans)) // at_once))

    def spans(self, number: int) -> list[Span]:
        """The requests of a round."""
        return [
            span.within(
                start=span.start + len(span) * number // self.count,
                end=span.start + len(span) * (number + 1) // self.count,
            )
            for span in self._spans.values()
        ]

    def number(self, partition: int, offset: int) -> int | None:
        """The round of a request; None if it is not in the range."""
        span = self._spans.get(partition)
        if span is None or not span.start <= offset < span.end:
            return None
        return ((offset - span.start + 1) * self.count - 1) // len(span)


@dataclass(slots=True)
class Stretch:
    """Offsets from `first` to below `end`; `highest` is the highest request that had such an outcome before; -1: none."""

    first: int
    end: int
    highest: int


class Whereabouts:
    """Where the outcomes of each round stand, as the first look at all of them has shown.

    Outcomes follow their requests, so each later round has to look at its own stretch of them alone. If they do not
    follow, stretches are longer, and nothing else is different.
    """

    def __init__(self) -> None:
        # By round; within it by kind, the request's partition and the outcome's own.
        self._stretches: defaultdict[int, dict[tuple[Kind, int, int], Stretch]] = defaultdict(dict)
        self._highest: dict[tuple[Kind, int, int], int] = {}

    def note(self, number: int | None, kind: Kind, outcome: Entry, partition: int, offset: int) -> None:
        """Note an outcome of the request at *partition* and *offset*, which is one of the round *number*; None: of none."""
        place = (kind, partition, outcome.partition)
        highest = self._highest.get(place, -1)
        self._highest[place] = max(highest, offset)
        if number is not None:
            stretches = self._stretches[number]
            if (stretch := stretches.get(place)) is None:
                stretch = stretches[place] = Stretch(outcome.offset, 0, highest)
            stretch.end = outcome.offset + 1

    def spans(self, number: int, kind: Kind, whole: Sequence[Span]) -> list[Span]:
        """What of *whole* has the outcomes of that round."""
        found: defaultdict[int, list[Stretch]] = defaultdict(list)
        for (of_kind, _, stands_in), stretch in self._stretches[number].items():
            if of_kind == kind:
                found[stands_in].append(stretch)
        return [
            span.within(start=min(each.first for each in stretches), end=max(each.end for each in stretches))
            for span in whole
            if (stretches := found[span.partition])
        ]

    def highest(self, number: int, partition: int) -> dict[tuple[Kind, int], int]:
        """By kind and the outcomes' partition: up to which request of *partition* outcomes stand before that round's."""
        return {
            (kind, stands_in): stretch.highest
            for (kind, of_partition, stands_in), stretch in self._stretches[number].items()
            if of_partition == partition
        }
