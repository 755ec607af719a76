"""What the demo submits, and what must come of it: the contract's example, generated batches, and bad ones."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from consumer.commands.exchange import Fate
from consumer.commands.requests import encode, generated
from consumer.kafka.caller import Request

LISTS = 4
INTEGERS = 25

_BAD = (
    ("invalid_json", b'{"batchid": "cut-short", "payload": [[1, 2'),
    ("invalid_json", b"\xff\xfe\x00 not even text"),
    ("invalid_request", b'{"batchid": "text-for-a-number", "payload": [[1, "2"], [3, 4]]}'),
    ("invalid_request", b'{"batchid": "not-a-number", "payload": [[1, NaN]]}'),
    ("invalid_request", b'{"batchid": "booleans", "payload": [[true, false]]}'),
    ("invalid_request", b'{"payload": [[1, 2], [3, 4]]}'),
    ("invalid_request", b'{"batchid": "no-payload"}'),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A request, and what must come of it: these sums, or a dead letter for this reason."""

    request: Request
    sums: list[int] | None = None
    reason: str | None = None
    integers: int = 0

    def fault(self, fate: Fate) -> str | None:
        """What is wrong with `fate`, or None."""
        if self.reason is not None:
            return self._fault_of_failure(fate)
        if fate.answer is None or fate.status != "complete":
            return f"request {fate.number}: is {fate.status}, its sums were expected"
        found = json.loads(fate.answer.value or b"")["response"]
        return None if found == self.sums else f"request {fate.number}: {found} are not its sums, {self.sums} are"

    def _fault_of_failure(self, fate: Fate) -> str | None:
        letter = fate.dead_letter
        if letter is None or fate.status != "failed":
            return f"request {fate.number}: is {fate.status}, a dead letter was expected"
        if letter.reason != self.reason:
            return f"request {fate.number}: its dead letter says {letter.reason}, not {self.reason}"
        if (letter.key, letter.value) != (self.request.key, self.request.value):
            return f"request {fate.number}: its dead letter is not the request bit for bit"
        return None


def samples(batches: int, seed: int) -> list[Sample]:
    """Return the example first, and then `batches` generated ones with the bad ones strewn in."""
    others = [*(_sample(*batch) for batch in _generated(batches, seed)), *_bad()]
    random.Random(seed).shuffle(others)
    return [_sample("id0101", [[1, 2], [3, 4]]), *others]


def _generated(batches: int, seed: int) -> Iterator[tuple[str, list[list[int]]]]:
    return generated(batches=batches, lists=LISTS, integers=INTEGERS, seed=seed)


def _sample(batchid: str, payload: list[list[int]]) -> Sample:
    return Sample(
        encode(batchid, payload), sums=[sum(integers) for integers in payload], integers=sum(map(len, payload))
    )


def _bad() -> Iterator[Sample]:
    yield Sample(Request(None, b"a key and no value"), reason="empty_record")
    for reason, value in _BAD:
        yield Sample(Request(value), reason=reason)
