"""The ledger: what was asked, what came of it, and whether that is what was promised.

One page per request partition: forty bytes a record, whatever the record's size, so that ten million of them fit. Requests, answers and dead letters may be entered in any order relative to one another, as they are read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from consumer import dead_letter
from consumer.ledger.entry import COMPLETE, Delivery, Entry, Expectation, Violation
from consumer.ledger.judgement import BITS, NO_REPLY, REPLY, State, state, wrongs
from consumer.ledger.page import Kind, Page
from consumer.ledger.reading import answer_digest, digest, source_in, told

TIMES_MAX = 255
NOTES_MAX = 10_000  # of what is noted beside the pages; the rest is only counted

# What is noted of an outcome that names no request of the topic, by where the outcome itself stands.
SOURCELESS: dict[Kind, str] = {
    "answer": "an answer without a source",
    "dead letter": "a dead letter without a source",
}


class Ledger:
    """Every request of one topic, and its outcomes; or only those of the offsets *within*, for each partition one range.

    `foreign` outcomes are for requests of other topics: a ledger of a range leaves them to others, one of everything does
    not believe in them.
    """

    def __init__(self, topic: str, delivery: Delivery, *, within: Mapping[int, range] | None = None) -> None:
        self._topic = topic
        self._delivery = delivery
        self._within = within
        self._notes: list[Violation] = []
        self.more_notes = Counter[str]()
        self.foreign = Counter[Kind]()
        self.pages: defaultdict[int, Page] = defaultdict(Page)
        self.requests = 0
        self.outcomes = 0
        for partition, offsets in (within or {}).items():
            self.pages[partition] = Page(first=offsets.start)
            self.pages[partition].grow(len(offsets))

    def request(self, entry: Entry, expectation: Expectation) -> None:
        """A request that stands in its topic, and what is to become of it."""
        page = self.pages[entry.partition]
        place = page.reach(entry.offset)
        page.end = max(page.end, entry.offset + 1)
        self.requests += 1
        page.asked[place] = digest(entry.key, entry.value, list(entry.headers), entry.timestamp)
        if expectation.sums is not None:
            page.expected[place] = answer_digest(
                entry.key, expectation.batchid, [str(each).encode() for each in expectation.sums]
            )
        replied = {True: REPLY, False: NO_REPLY, None: 0}[expectation.replied]
        page.allowed[place] = sum(BITS[verdict] for verdict in expectation.verdicts) | replied

    def knows(self, partition: int, offset: int) -> bool:
        """Whether the request that stands there has been entered."""
        page = self.pages[partition]
        return page.asked[page.reach(offset)] != 0

    def verdicts(self, partition: int, offset: int) -> set[str]:
        """What has been entered so far of the outcomes of the request that stands there."""
        page = self.pages[partition]
        found = page.found[page.reach(offset)]
        return {verdict for verdict, bit in BITS.items() if found & bit} if found else set()

    def answer(self, entry: Entry) -> tuple[int, int] | None:
        """A record of the result topic; those of one partition are to be entered in their order.

        Returns for which partition and offset it is; None if it is for no request of the topic.
        """
        at = self._request("answer", entry, dict(entry.headers).get("source"))
        if at is not None and self._hear("answer", entry, *at):
            self._take_answer(entry, *at)
        return at

    def dead_letter(self, entry: Entry) -> tuple[int, int] | None:
        """A record of the dead letter topic; those of one partition are to be entered in their order.

        Returns for which partition and offset it is; None if it is for no request of the topic.
        """
        own, reasons = dead_letter.split(entry.headers)
        source = b"/".join(reasons.get(name) or b"" for name in dead_letter.COORDINATES)
        verdict = (reasons.get(dead_letter.REASON) or b"").decode(errors="replace")
        at = self._request("dead letter", entry, source if verdict in BITS else None)
        if at is not None and self._hear("dead letter", entry, *at):
            self._take_letter(verdict, digest(entry.key, entry.value, list(own), entry.timestamp), *at)
        return at

    def committed(self, partition: int, offset: int) -> None:
        """The group has committed *offset*; to be called after all that was published before that has been entered.

        A transaction's markers reach its partitions one by one, so exactly once, an offset can be seen a moment before
        the outcomes that it is bound to: those have to be there in the end.
        """
        page = self.pages[partition]
        page.reach(offset)
        for passed in range(max(page.first, page.committed), offset if self._delivery == "at_least_once" else 0):
            place = passed - page.first
            if page.asked[place] and not page.has_outcome(place):
                self._note("committed without an outcome", partition, passed, f"committed: {offset}")
        page.committed = max(page.committed, offset)

    def without_outcome(self) -> list[tuple[int, int]]:
        """Partition and offset of every request that has neither a result nor a dead letter yet."""
        return [
            (partition, page.first + place)
            for partition, page in sorted(self.pages.items())
            for place in page.requests()
            if not page.has_outcome(place)
        ]

    def ends(self) -> dict[int, int]:
        """For each partition with requests, the offset behind the last of them."""
        return {partition: page.end for partition, page in self.pages.items() if page.end}

    def done_before(self, ends: Mapping[int, int]) -> bool:
        """Whether every request below these offsets, for each partition one, has its outcome."""
        return all(self.pages[partition].done_before(end) for partition, end in ends.items())

    def duplicates(self) -> int:
        """How many outcomes there are beyond one for each request."""
        return sum(times - 1 for _, _, times in self.repeated())

    def repeated(self) -> Iterator[tuple[int, int, int]]:
        """Partition and offset of every request with more than one outcome, and how often it is there."""
        for partition, page in sorted(self.pages.items()):
            for place in page.requests():
                if (times := max(_answers(page, place), page.letters[place])) > 1:
                    yield partition, page.first + place, times

    def states(self) -> Counter[State]:
        """How many requests are in each state."""
        return Counter(state(page, place) for page in self.pages.values() for place in page.requests())

    def findings(self) -> Iterator[Violation]:
        """Everything that is wrong, now that all is entered, but for repetitions that at least once allows."""
        yield from self._notes
        for kind, count in self.more_notes.items():
            yield Violation(kind, -1, -1, f"and {count} more of them")
        for partition, page in sorted(self.pages.items()):
            for place in range(len(page.asked)):
                if page.asked[place] or page.found[place]:
                    for kind in wrongs(page, place, self._delivery):
                        yield Violation(kind, partition, page.first + place)

    def judge(self, *, duplicates_max: int) -> list[Violation]:
        """Everything that is wrong, now that the topics are quiet; at least once, *duplicates_max* outcomes may repeat."""
        violations = [*self.findings()]
        if self._delivery == "at_least_once" and (count := self.duplicates()) > duplicates_max:
            violations.append(Violation("too many duplicates", -1, -1, f"{count}, at most {duplicates_max}"))
        return violations

    def _request(self, kind: Kind, outcome: Entry, source: bytes | None) -> tuple[int, int] | None:
        """The partition and offset that *source* names; None, and noted, if that is no request of the topic."""
        named = None if source is None else source_in(source)
        if named is not None and named.topic == self._topic:
            return named.partition, named.offset
        if named is not None and self._within is not None:
            self.foreign[kind] += 1
        else:
            self._note(SOURCELESS[kind], outcome.partition, outcome.offset, f"{source!r}")
        return None

    def _hear(self, kind: Kind, entry: Entry, partition: int, offset: int) -> bool:
        """Take note of an outcome for *partition* and *offset*, and return whether that is one to be judged."""
        if self._within is not None and partition not in self._within:
            return False
        page = self.pages[partition]
        if page.asked_to is not None and offset >= page.asked_to:
            return False
        page.heard_first.setdefault(kind, offset)
        first = page.partitions.setdefault(kind, entry.partition)
        highest = page.heard_highest.get((kind, entry.partition), -1)
        page.heard_highest[kind, entry.partition] = max(highest, offset)
        if self._within is not None and offset not in self._within[partition]:
            return False
        if entry.partition not in {first, page.homes.get(kind, first)}:
            self._note(f"{kind} in another partition", partition, offset, f"{entry.partition} instead of {first}")
        place = page.reach(offset)
        heard_before = _answers(page, place) if kind == "answer" else page.letters[place]
        if not heard_before and offset < highest:
            self._note(f"{kind} out of order", partition, offset, f"after that to {highest}")
        return True

    def _take_answer(self, entry: Entry, partition: int, offset: int) -> None:
        page = self.pages[partition]
        place = page.reach(offset)
        if (said := told(entry)) is None:
            self._note("an answer that cannot be read", partition, offset, f"at {entry.partition}/{entry.offset}")
            return
        verdict, says = said
        if verdict != COMPLETE:
            page.found[place] |= BITS[verdict]
            page.replies[place] = min(TIMES_MAX, page.replies[place] + 1)
            return
        self._count_outcome(page, place)
        page.found[place] |= BITS[COMPLETE]
        page.results[place] = min(TIMES_MAX, page.results[place] + 1)
        if page.answered[place] not in {0, says}:
            self._note("two different answers", partition, offset, f"one of them at {entry.partition}/{entry.offset}")
        page.answered[place] = says

    def _take_letter(self, verdict: str, kept: int, partition: int, offset: int) -> None:
        page = self.pages[partition]
        place = page.reach(offset)
        self._count_outcome(page, place)
        page.found[place] |= BITS[verdict]
        page.letters[place] = min(TIMES_MAX, page.letters[place] + 1)
        if page.buried[place] not in {0, kept}:
            self._note("two different dead letters", partition, offset)
        page.buried[place] = kept

    def _count_outcome(self, page: Page, place: int) -> None:
        self.outcomes += not page.has_outcome(place)

    def _note(self, kind: str, partition: int, offset: int, detail: str = "") -> None:
        if len(self._notes) < NOTES_MAX:
            self._notes.append(Violation(kind, partition, offset, detail))
        else:
            self.more_notes[kind] += 1


def _answers(page: Page, place: int) -> int:
    return page.results[place] + page.replies[place]
