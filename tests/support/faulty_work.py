"""The work of `domain`, but for batches whose batchid orders the worker to misbehave.

A batch with batchid `exit:3` makes its worker exit with code 3, `signal:11` gives it a segmentation fault, `hang` never
ends, `memory` takes all it can get, `raise` and `leave` raise what the work must not raise. Any other is processed as ever.
"""

import os
import re
import time
from collections.abc import Sequence

from consumer.work import Work
from domain.batch import Limits, Outcomes
from domain.summation import process_chunk

ORDER = re.compile(rb'"batchid": ?"(?P<order>exit|signal|hang|memory|raise|leave|sleep):?(?P<argument>[\d.]*)')


def misbehave_or_process(values: Sequence[bytes | None], limits: Limits) -> Outcomes:
    """Do what the batchids say, in their order, and process the rest."""
    for value in values:
        if value is not None and (found := ORDER.search(value)):
            _misbehave(found["order"].decode(), found["argument"].decode())
    return process_chunk(values, limits)


def _misbehave(order: str, argument: str) -> None:
    match order:
        case "exit":
            os._exit(int(argument))
        case "signal":
            os.kill(os.getpid(), int(argument))
        case "hang":
            while True:
                pass
        case "sleep":
            time.sleep(float(argument))
        case "memory":
            hoard = []
            while True:
                hoard.append(bytearray(1 << 24))
        case "raise":
            raise ZeroDivisionError
        case "leave":
            raise SystemExit(0)


def faulty_work(limits: Limits | None = None) -> Work:
    """The work above, as a pool or a service takes it."""
    return Work(process=misbehave_or_process, batch_limits=limits or Limits())
