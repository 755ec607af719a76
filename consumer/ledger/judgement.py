"""What is wrong with the outcomes of one request, by what its page says."""

from collections.abc import Iterator
from typing import Literal

from consumer.ledger.entry import COMPLETE, VERDICTS, Delivery
from consumer.ledger.page import Page

# The bits by which a page notes verdicts, and whether a failed batch is to be answered, or not to be answered, too.
BITS = {verdict: 1 << number for number, verdict in enumerate(VERDICTS)}
REPLY = 1 << len(BITS)
NO_REPLY = REPLY << 1


# What has become of a request: `pending`, its outcome is not due yet; `unknown`, it may have been removed.
State = Literal["complete", "failed", "pending", "unknown", "missing"]


def state(page: Page, place: int) -> State:
    """What has become of the request at *place*."""
    if page.results[place]:
        return "complete"
    if page.letters[place]:
        return "failed"
    if not page.is_due(place):
        return "pending"
    return "missing" if _must_be_there(page, place) else "unknown"


def wrongs(page: Page, place: int, delivery: Delivery) -> Iterator[str]:
    """What is wrong with the outcomes of the request at *place*."""
    found, allowed = page.found[place], page.allowed[place]
    if not page.asked[place]:
        if page.first + place >= page.asked_from:
            yield "an outcome of no request"
        return
    yield from _missing(page, place)
    if found & BITS[COMPLETE] and found != BITS[COMPLETE]:
        yield "two kinds of outcome"
    if found & ~allowed:
        yield f"wrong verdict: {', '.join(verdict for verdict, bit in BITS.items() if found & ~allowed & bit)}"
    if page.answered[place] and page.expected[place] and page.answered[place] != page.expected[place]:
        yield "wrong answer"
    if page.buried[place] and page.buried[place] != page.asked[place]:
        yield "the dead letter is not the request"
    if page.letters[place] and page.replies[place] and allowed & NO_REPLY:
        yield "an answer nobody was to get"
    if delivery == "exactly_once" and max(page.results[place], page.replies[place], page.letters[place]) > 1:
        yield "more than one outcome"


def _missing(page: Page, place: int) -> Iterator[str]:
    """What should be there and is not, unless it may still come, or may have been there once."""
    if not page.is_due(place):
        return
    answers_kept, letters_kept = page.is_kept("answer", place), page.is_kept("dead letter", place)
    if not page.has_outcome(place) and _must_be_there(page, place):
        yield "no outcome"
    if page.letters[place] and page.allowed[place] & REPLY and not page.replies[place] and answers_kept:
        yield "a failed batch is not answered"
    if page.replies[place] and not page.letters[place] and letters_kept:
        yield "failed without a dead letter"


def _must_be_there(page: Page, place: int) -> bool:
    """Whether retention cannot be why there is no outcome: a request that would be answered either way needs no letter."""
    answered_either_way = page.allowed[place] & REPLY and not page.replies[place]
    return page.is_kept("answer", place) and bool(answered_either_way or page.is_kept("dead letter", place))
