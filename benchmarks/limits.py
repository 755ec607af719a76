"""The limits: what the worker's function and Kafka's own tools could do with nothing around them."""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import simdjson

from benchmarks.broker import Stage
from benchmarks.java import tool_command
from benchmarks.profiles import PROFILES
from benchmarks.results import WrongResult
from domain.batch import Limits, Rejection, Request
from domain.summation import process_chunk

TOOL_TIMEOUT_S = 120.0
BROKEN_AT = 7

_parser = simdjson.Parser()


@dataclass(frozen=True, slots=True)
class OneCore:
    """Large batches on one core: the worker's function, and pydantic's validation with Python's sum.

    `unproven_per_s` is for what the worker's function cannot do without: integers read by simdjson and summed by numpy,
    without a proof that pydantic would say the same, and without an answer.
    """

    process_chunk_per_s: float
    pydantic_and_sum_per_s: float
    unproven_per_s: float
    verdicts_compared: int
    verdicts_identical: bool


@dataclass(frozen=True, slots=True)
class PerformanceTool:
    """What one of Kafka's own tools says it could do on this broker."""

    records_per_s: float
    mib_per_s: float


def one_core(*, rounds: int) -> OneCore:
    """Compare them in turn, on the same documents, and the verdicts on good ones and bad ones.

    Raises:
        WrongResult: Sums without a proof are wrong, so their rate says nothing.
    """
    profile = PROFILES["large"]
    values = [profile.request(number) for number in range(20)]

    def each(function: Callable[[bytes], object]) -> None:
        for value in values:
            function(value)

    contenders = (lambda: process_chunk(values, Limits()), lambda: each(_plainly), lambda: each(_unproven))
    taken_s = zip(*([_seconds(contender) for contender in contenders] for _ in range(rounds)), strict=True)
    checked = [changed for value in values for changed in _changed(value)]
    agreed = all(_verdict(value) == _plainly(value) for value in checked)
    if any(_unproven(value) != _plainly(value) for value in values):
        raise WrongResult("simdjson and numpy sum good documents wrongly")
    ours, theirs, unproven = (len(values) / median(each_s) for each_s in taken_s)
    return OneCore(ours, theirs, unproven, len(checked), agreed)


def _seconds(contender: Callable[[], object]) -> float:
    since = time.perf_counter()
    contender()
    return time.perf_counter() - since


def _unproven(value: bytes) -> Sequence[int]:
    document: Any = _parser.parse(value)
    payload = document["payload"]
    lengths = np.fromiter(map(len, payload), np.int64, len(payload))
    integers = np.frombuffer(payload.as_buffer(of_type="i"), np.int64)
    sums: list[int] = np.add.reduceat(integers, lengths.cumsum() - lengths).tolist()
    return sums


def _plainly(value: bytes) -> list[int] | None:
    try:
        request = Request.model_validate_json(value)
    except ValueError:
        return None
    return [sum(integers) for integers in request.payload]


def _verdict(value: bytes) -> list[int] | None:
    (outcome,) = process_chunk([value], Limits())
    return None if isinstance(outcome, Rejection) else _response(outcome.answer)


def _response(answer: bytes) -> list[int]:
    found = re.search(rb'"response": \[([^\]]*)\]', answer)
    return [int(number) for number in found.group(1).split(b",")] if found else []


def _changed(value: bytes) -> list[bytes]:
    """*value*, and versions of it with something else in the place of one integer, or cut short."""
    start = [match.start() for match in re.finditer(rb"(?<=,)-?\d+(?=,)", value)][BROKEN_AT]
    end = value.index(b",", start)
    others = (b"1.0", b"true", b'"1"', b"null", b"NaN", b"[1]", b"1e3", b"01", b"9" * 30, b"-" + b"9" * 30, b"")
    return [value, value[:-2], value[:start], *(value[:start] + other + value[end:] for other in others)]


def producer_performance(stage: Stage, *, records: int, record_bytes: int) -> PerformanceTool:
    """Kafka's own producer, as fast as it can."""
    topic = stage.fresh_topic("performance")
    command = [
        *tool_command("ProducerPerformance"),
        *("--topic", topic, "--num-records", str(records), "--record-size", str(record_bytes), "--throughput", "-1"),
        *("--bootstrap-server", stage.bootstrap_servers),
        *("--command-property", "acks=all", "batch.size=262144", "linger.ms=5"),
    ]
    try:
        said = _last_line(command)
    finally:
        stage.delete(topic)
    found = re.search(r"([\d.]+) records/sec \(([\d.]+) MB/sec\)", said)
    if found is None:
        raise RuntimeError(f"ProducerPerformance said: {said}")
    return PerformanceTool(float(found[1]), float(found[2]))


def consumer_performance(stage: Stage, topic: str, *, records: int) -> PerformanceTool:
    """Kafka's own consumer, as fast as it can, on a backlog."""
    command = [
        *tool_command("ConsumerPerformance"),
        *("--bootstrap-server", stage.bootstrap_servers, "--topic", topic, "--num-records", str(records)),
        "--hide-header",
    ]
    # start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, MB/s and records/s while fetching
    columns = _last_line(command).split(",")
    return PerformanceTool(float(columns[9]), float(columns[8]))


def _last_line(command: list[str]) -> str:
    run = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=True
    )
    return run.stdout.strip().splitlines()[-1]
