"""The ledger: what was asked, what came of it, and whether that is what was promised.

One page per request partition: forty bytes a record, whatever the record's size, so that ten million of them fit. Requests, answers and dead letters may be entered in any order relative to one another, as they are read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple

from domain.batch import Code
from tests.support.ledger_page import Page

Delivery = Literal["at_least_once", "exactly_once"]
Headers = Sequence[tuple[str, bytes | None]]

COMPLETE = "complete"
# The bits by which a page notes verdicts, and whether a failed batch is to be answered, too.
BITS = {verdict: 1 << number for number, verdict in enumerate((COMPLETE, *Code))}
REPLY = 1 << len(BITS)
TIMES_MAX = 255


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

    `replied`: should it fail, there is to be a failed answer beside the dead letter.
    """

    batchid: str | None = None
    sums: Sequence[int] = ()
    verdicts: Sequence[str] = (COMPLETE,)
    replied: bool = True


class Violation(NamedTuple):
    """A promise that was not kept, and for which request: where it stands, or -1 where no single one is to blame."""

    kind: str
    partition: int
    offset: int
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}: {self.kind}{self.detail and f' ({self.detail})'}"


def digest(*parts: object) -> int:
    """A number for *parts*, never 0; 64 bits, so that two differing ones are all but never taken for the same."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest()) or 1


class Ledger:
    """Every request of one topic, and its outcomes."""

    def __init__(self, topic: str, delivery: Delivery) -> None:
        self._topic = topic
        self._delivery = delivery
        self._pages: dict[int, Page] = {}
        self._violations: list[Violation] = []
        self.requests = 0
        self.outcomes = 0

    def request(self, entry: Entry, expectation: Expectation) -> None:
        """A request that stands in its topic, and what is to become of it."""
        page = self._page(entry.partition, entry.offset)
        page.end = max(page.end, entry.offset + 1)
        self.requests += 1
        page.asked[entry.offset] = digest(entry.key, entry.value, list(entry.headers), entry.timestamp)
        page.expected[entry.offset] = _answer_digest(
            entry.key, expectation.batchid, [str(integer) for integer in expectation.sums]
        )
        page.allowed[entry.offset] = sum(BITS[verdict] for verdict in expectation.verdicts) | (
            REPLY if expectation.replied else 0
        )

    def knows(self, partition: int, offset: int) -> bool:
        """Whether the request that stands there has been entered."""
        return self._page(partition, offset).asked[offset] != 0

    def answer(self, entry: Entry) -> None:
        """A record of the result topic; those of one partition are to be entered in their order."""
        source = dict(entry.headers).get("source")
        if source is None or (place := self._place(source)) is None:
            self._note("an answer without a source", entry.partition, entry.offset, f"{source!r}")
            return
        partition, offset = place
        page = self._page(partition, offset)
        self._mind_order(page, "answer", entry.partition, partition, offset, again=self._answers(page, offset) > 0)
        answer = json.loads(entry.value or b"null", parse_int=str)
        if answer["status"] == "failed":
            page.found[offset] |= BITS[answer["error"]["code"]]
            page.replies[offset] = min(TIMES_MAX, page.replies[offset] + 1)
            return
        self._count_outcome(page, offset)
        page.found[offset] |= BITS[COMPLETE]
        page.results[offset] = min(TIMES_MAX, page.results[offset] + 1)
        told = _answer_digest(entry.key, answer["batchid"], answer["response"])
        if page.answered[offset] not in {0, told}:
            self._note("two different answers", partition, offset)
        page.answered[offset] = told

    def dead_letter(self, entry: Entry) -> None:
        """A record of the dead letter topic; those of one partition are to be entered in their order."""
        headers = dict(entry.headers)
        source = b"/".join(headers.get(f"dlq.{part}") or b"" for part in ("topic", "partition", "offset"))
        if (place := self._place(source)) is None:
            self._note("a dead letter without a source", entry.partition, entry.offset, f"{source!r}")
            return
        partition, offset = place
        page = self._page(partition, offset)
        self._mind_order(page, "dead letter", entry.partition, partition, offset, again=page.letters[offset] > 0)
        self._count_outcome(page, offset)
        page.found[offset] |= BITS[(headers["dlq.reason"] or b"").decode()]
        page.letters[offset] = min(TIMES_MAX, page.letters[offset] + 1)
        own = [name for name, _ in entry.headers].index("dlq.reason")
        kept = digest(entry.key, entry.value, list(entry.headers[:own]), entry.timestamp)
        if page.buried[offset] not in {0, kept}:
            self._note("two different dead letters", partition, offset)
        page.buried[offset] = kept

    def committed(self, partition: int, offset: int) -> None:
        """The group has committed *offset*; to be called after all that was published before that has been entered.

        A transaction's markers reach its partitions one by one, so exactly once, an offset can be seen a moment before
        the outcomes that it is bound to: those have to be there in the end.
        """
        page = self._page(partition, offset)
        for passed in range(page.committed, offset if self._delivery == "at_least_once" else 0):
            if page.asked[passed] and not page.has_outcome(passed):
                self._note("committed without an outcome", partition, passed, f"committed: {offset}")
        page.committed = max(page.committed, offset)

    def without_outcome(self) -> list[tuple[int, int]]:
        """Partition and offset of every request that has neither a result nor a dead letter yet."""
        return [
            (partition, offset)
            for partition, page in sorted(self._pages.items())
            for offset in page.requests()
            if not page.has_outcome(offset)
        ]

    def ends(self) -> dict[int, int]:
        """For each partition with requests, the offset behind the last of them."""
        return {partition: page.end for partition, page in self._pages.items() if page.end}

    def done_before(self, ends: Mapping[int, int]) -> bool:
        """Whether every request below these offsets, for each partition one, has its outcome."""
        return all(self._page(partition, end).done_before(end) for partition, end in ends.items())

    def duplicates(self) -> int:
        """How many outcomes there are beyond one for each request."""
        return sum(
            max(0, self._answers(page, offset) - 1, page.letters[offset] - 1)
            for page in self._pages.values()
            for offset in page.requests()
        )

    def judge(self, *, duplicates_max: int) -> list[Violation]:
        """Everything that is wrong, now that the topics are quiet; at least once, *duplicates_max* outcomes may repeat."""
        violations = list(self._violations)
        for partition, page in sorted(self._pages.items()):
            for offset in range(len(page.asked)):
                if page.asked[offset] or page.found[offset]:
                    violations += [Violation(kind, partition, offset) for kind in _wrongs(page, offset, self._delivery)]
        if self._delivery == "at_least_once" and (count := self.duplicates()) > duplicates_max:
            violations.append(Violation("too many duplicates", -1, -1, f"{count}, at most {duplicates_max}"))
        return violations

    def _page(self, partition: int, offset: int) -> Page:
        page = self._pages.setdefault(partition, Page())
        page.reach(offset)
        return page

    def _place(self, source: bytes) -> tuple[int, int] | None:
        topic, _, place = source.decode().partition("/")
        partition, _, offset = place.partition("/")
        return (int(partition), int(offset)) if topic == self._topic and offset.isdigit() else None

    def _count_outcome(self, page: Page, offset: int) -> None:
        self.outcomes += not page.has_outcome(offset)

    @staticmethod
    def _answers(page: Page, offset: int) -> int:
        return page.results[offset] + page.replies[offset]

    def _mind_order(self, page: Page, kind: str, where: int, partition: int, offset: int, *, again: bool) -> None:
        first_where, highest = page.places.get(kind, (where, -1))
        if where != first_where:
            self._note(f"{kind} in another partition", partition, offset, f"{where} instead of {first_where}")
        if not again and offset < highest:
            self._note(f"{kind} out of order", partition, offset, f"after that to {highest}")
        page.places[kind] = (first_where, max(highest, offset))

    def _note(self, kind: str, partition: int, offset: int, detail: str = "") -> None:
        self._violations.append(Violation(kind, partition, offset, detail))


def _wrongs(page: Page, offset: int, delivery: Delivery) -> Iterator[str]:
    """What is wrong with the outcomes of one request."""
    found, allowed = page.found[offset], page.allowed[offset]
    if not page.asked[offset]:
        yield "an outcome of no request"
        return
    if not page.has_outcome(offset):
        yield "no outcome"
    if found & BITS[COMPLETE] and found != BITS[COMPLETE]:
        yield "two kinds of outcome"
    if found & ~allowed:
        yield f"wrong verdict: {', '.join(verdict for verdict, bit in BITS.items() if found & ~allowed & bit)}"
    if page.answered[offset] and page.answered[offset] != page.expected[offset]:
        yield "wrong answer"
    if page.buried[offset] and page.buried[offset] != page.asked[offset]:
        yield "the dead letter is not the request"
    if page.letters[offset] and bool(allowed & REPLY) is not bool(page.replies[offset]):
        yield "a failed batch is not answered" if allowed & REPLY else "an answer nobody was to get"
    if page.replies[offset] and not page.letters[offset]:
        yield "failed without a dead letter"
    if delivery == "exactly_once" and max(page.results[offset], page.replies[offset], page.letters[offset]) > 1:
        yield "more than one outcome"


def _answer_digest(key: bytes | None, batchid: str | None, sums: Sequence[str]) -> int:
    return digest((batchid or "").encode() if key is None else key, batchid, list(sums))
