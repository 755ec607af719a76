"""What is to become of a request, by the word of the service's own `domain`."""

import json
from collections.abc import Sequence
from sys import maxsize

from config.settings import Settings
from consumer.kafka.producer import packing
from consumer.ledger.entry import COMPLETE, VERDICTS, Entry, Expectation
from consumer.ledger.ledger import Ledger
from consumer.pool import Pool
from consumer.service import pool_limits
from consumer.wire.answers import Form
from consumer.work import Work
from domain.batch import Code, Limits, Outcome, Result

# What may become of any batch, whatever it is: that is between it and the worker, the machine and the load of the day.
KILLERS = (Code.WORKER_CRASHED, Code.TIMED_OUT, Code.OUT_OF_MEMORY)

_decode = json.JSONDecoder(parse_int=str).decode  # digits: there may be more than Python likes to convert


def make_pool(settings: Settings) -> Pool:
    """A pool that does the service's work, but refuses no answer for its size, and gives up for no number of bad batches."""
    limits = pool_limits(settings.model_copy(update={"convictions_in_a_row_max": 0}))
    form = Form(settings.reply_to_failed, packing(settings))
    return Pool(Work(batch_limits=Limits(result_bytes_max=maxsize, details_max=1)), limits, form)


async def expectations(
    pool: Pool, ledger: Ledger, requests: Sequence[Entry], *, reply_to_failed: bool
) -> list[Expectation]:
    """What is to become of each of *requests*, a run of one partition whose dead letters are in the ledger.

    Raises:
        WorkersFailing: The workers cannot be started again.
    """
    # What has killed a worker of the service would kill one here, too; nobody knows its sums, and nobody has to.
    spared = [bool(found) and found <= {*KILLERS} for found in (ledger.verdicts(*_at(each)) for each in requests)]
    asked = [entry for entry, is_spared in zip(requests, spared, strict=True) if not is_spared]
    outcomes = iter(await pool.outcomes([entry.value for entry in asked]) if asked else ())
    return [
        Expectation(sums=None, verdicts=VERDICTS, replied=None)
        if is_spared
        else expectation(next(outcomes), reply_to_failed=reply_to_failed)
        for is_spared in spared
    ]


def expectation(outcome: Outcome, *, reply_to_failed: bool) -> Expectation:
    """What is to become of a request of which `domain` says *outcome*.

    Without *reply_to_failed* there may be a failed answer: the setting may have been another at the time.
    """
    replied = (True if reply_to_failed else None) if outcome.batchid is not None else False
    if isinstance(outcome, Result):
        sums = _decode(outcome.answer.decode())["response"]
        verdicts = (COMPLETE, Code.RESULT_TOO_LARGE, *KILLERS)
        return Expectation(batchid=outcome.batchid, sums=sums, verdicts=verdicts, replied=replied)
    if outcome.code in KILLERS:
        return Expectation(sums=None, verdicts=VERDICTS, replied=None)
    return Expectation(batchid=outcome.batchid, verdicts=(outcome.code, *KILLERS), replied=replied)


def _at(entry: Entry) -> tuple[int, int]:
    return entry.partition, entry.offset
