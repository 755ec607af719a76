"""Topics that no broker has: what was written to them by hand, for whoever reads histories."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable

from consumer.kafka.history import History, Overtaken, Span
from consumer.ledger.entry import Entry


class HandmadeTopics(History):
    """Topics with three partitions each; `read` remembers how many records it gave."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.logs: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        self.kept_from: dict[tuple[str, int], int] = {}
        self.given = 0
        for entry in entries:
            self.write(entry)

    def write(self, entry: Entry) -> None:
        """Append *entry*, at whatever offset its partition has come to."""
        log = self.logs[entry.topic, entry.partition]
        log.append(entry._replace(offset=len(log)))

    async def spans(self, topic: str) -> list[Span]:
        return [self._span(topic, partition) for partition in range(3)]

    def _span(self, topic: str, partition: int) -> Span:
        kept_from = self.kept_from.get((topic, partition), 0)
        end = len(self.logs[topic, partition])
        return Span(topic=topic, partition=partition, start=kept_from, end=end, kept_from=kept_from)

    async def read(self, spans: Iterable[Span], overtaken: Overtaken | None = None) -> AsyncIterator[list[Entry]]:
        for span in spans:
            kept_from = self.kept_from.get((span.topic, span.partition), 0)
            if span.start < kept_from and len(span):
                assert overtaken is not None
                overtaken(
                    Span(
                        topic=span.topic,
                        partition=span.partition,
                        start=span.start,
                        end=kept_from,
                        kept_from=kept_from,
                    )
                )
            for run in self._runs(span.within(start=kept_from)):
                self.given += len(run)
                yield run

    def _runs(self, span: Span) -> Iterable[list[Entry]]:
        log = self.logs[span.topic, span.partition]
        return (log[first : min(first + 10, span.end)] for first in range(span.start, span.end, 10))
