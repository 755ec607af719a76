"""What an audit looks at: which requests, which outcomes, and which of them are due."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import ClassVar

from config.settings import Settings
from config.units import HOUR_MS
from consumer.commands.moment import Moment
from consumer.failures import Failure
from consumer.kafka.history import History, Span, history, standing
from consumer.ledger.page import Kind

# Answers are looked for from so long before the first request on: clocks differ, and brokers allow that by default.
CLOCKS_APART_MS = HOUR_MS


class NoSuchRange(Failure):
    """What is to be audited is not there, or nothing of it can be due."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Requests by their partitions, offsets and timestamps; by default all that there are.

    `all_due`: their outcomes are due wherever the group stands.
    """

    partitions: frozenset[int] = frozenset()
    first: int | None = None
    end: int | None = None
    since: Moment | None = None
    until: Moment | None = None
    all_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The requests of a range, and all outcomes there are.

    Outcomes are due of requests below the offsets of `due`, for each partition one; None: of all. `kept` has the first
    request that each partition of the topic still has, and `newest` what is behind the last.
    """

    requests: Sequence[Span]
    outcomes: Mapping[Kind, Sequence[Span]]
    due: Mapping[int, int] | None
    kept: Mapping[int, int]
    newest: Mapping[int, int]

    @property
    def unread(self) -> int:
        """How many requests retention has removed before the group had done them."""
        due = self.due or {}
        return sum(max(0, span.kept_from - due.get(span.partition, span.kept_from)) for span in self.requests)

    @property
    def strange(self) -> list[int]:
        """The partitions with requests for which the group has committed nothing."""
        return [span.partition for span in self.requests if len(span) and span.partition not in (self.due or {})]


async def find_scope(settings: Settings, chosen: Range, topics: History) -> Scope:
    """What there is at this moment.

    Raises:
        CannotConnect: Topics or group cannot be asked for.
        NoSuchRange: There is no such partition, or nothing has been committed.
    """
    everything = await topics.spans(settings.request_topic)
    requests = await _requests(settings, chosen, topics, everything)
    async with AsyncExitStack() as stack:
        due = None
        if not chosen.all_due:
            due = await (await stack.enter_async_context(standing(settings, settings.group_id))).committed(requests)
            if not due and any(map(len, requests)):
                raise NoSuchRange(
                    f"the group {settings.group_id} has committed nothing on {settings.request_topic}, so nothing is due: "
                    "name another group by --set group_id=NAME, or say --all-due if all of it should be done by now"
                )
        # Only now: what was committed then, has its outcomes before these ends. A transaction that is about to be
        # finished counts, too, because the group's offset may be seen a moment before the rest of it.
        ends = await stack.enter_async_context(history(settings, unfinished=True))
        answers = await ends.spans(settings.result_topic)
        letters = await ends.spans(settings.dead_letter_topic)
        newest = await ends.spans(settings.request_topic)
        if chosen.since is not None:
            answers = await ends.since(chosen.since.ms - CLOCKS_APART_MS, answers)
    return Scope(
        requests=requests,
        outcomes={"answer": answers, "dead letter": letters},
        due=due,
        kept={span.partition: span.kept_from for span in everything},
        newest={span.partition: span.end for span in newest},
    )


async def _requests(settings: Settings, chosen: Range, topics: History, everything: Sequence[Span]) -> Sequence[Span]:
    if unknown := chosen.partitions - {span.partition for span in everything}:
        raise NoSuchRange(f"{settings.request_topic} has no partition {', '.join(map(str, sorted(unknown)))}")
    spans = [
        span.within(start=chosen.first, end=chosen.end)
        for span in everything
        if not chosen.partitions or span.partition in chosen.partitions
    ]
    if chosen.since is not None:
        spans = await topics.since(chosen.since.ms, spans)
    return spans if chosen.until is None else await topics.until(chosen.until.ms, spans)
