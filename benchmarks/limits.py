"""The limits: what the worker's function and Kafka's own tools could do with nothing around them."""

import re
import subprocess
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.broker import Stage
from benchmarks.java import tool_command
from benchmarks.profiles import PROFILES
from domain.batch import Limits, Rejection, Request
from domain.summation import process_chunk

TOOL_TIMEOUT_S = 120.0
BROKEN_AT = 7


@dataclass(frozen=True, slots=True)
class OneCore:
    """Large batches on one core: the worker's function, and pydantic's validation with Python's sum."""

    process_chunk_per_s: float
    pydantic_and_sum_per_s: float
    verdicts_compared: int
    verdicts_identical: bool


@dataclass(frozen=True, slots=True)
class PerformanceTool:
    """What one of Kafka's own tools says it could do on this broker."""

    records_per_s: float
    mib_per_s: float


def one_core(*, rounds: int) -> OneCore:
    """Compare the two in turn, on the same documents, good ones and bad ones."""
    profile = PROFILES["large"]
    values = [profile.request(number) for number in range(20)]
    ours, theirs = [], []
    for _ in range(rounds):
        since = time.perf_counter()
        process_chunk(values, Limits())
        between = time.perf_counter()
        for value in values:
            _plainly(value)
        ours.append(between - since)
        theirs.append(time.perf_counter() - between)
    checked = [changed for value in values for changed in _changed(value)]
    agreed = all(_verdict(value) == _plainly(value) for value in checked)
    return OneCore(len(values) / median(ours), len(values) / median(theirs), len(checked), agreed)


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
