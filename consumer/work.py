"""The work that the pool runs, and the bounds it runs within."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.batch import Code, Limits, Outcomes, Rejection
from domain.summation import process_chunk, reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The two functions that a worker is asked to run. They are pure, and found by name in the worker.

    `process` gives one outcome per value, in order. `reject` makes the rejection of a value that could not be
    processed, with its failed answer if it can be read at all; the last argument is when the batch was begun, in
    nanoseconds since the epoch.
    """

    process: Callable[[Sequence[bytes | None], Limits], Outcomes] = process_chunk
    reject: Callable[[bytes | None, Code, str, int], Rejection] = reject
    batch_limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """The bounds of the pool.

    A chunk, and a batch alone, may take a worker `chunk_timeout_s`. A batch is convicted after `lone_attempts_max`
    lone runs that its worker did not survive: one could be a stray signal. `convictions_in_a_row_max` convictions with
    no good batch in between are a bad deployment rather than bad batches; 0 turns that off. `memory_bytes_max` bounds
    the address space of each worker; 0 leaves it unbounded. A chunk, or its answers, of up to `tray_bytes` are in memory
    that parent and worker share; larger ones go through a socket, at more cost.
    """

    workers: int
    chunk_timeout_s: float
    start_timeout_s: float
    memory_bytes_max: int
    tray_bytes: int
    lone_attempts_max: int
    convictions_in_a_row_max: int
