"""`batchsum bench`: what this deployment can do, measured."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass

from config.cpus import usable_cpus
from config.settings import Settings
from consumer.commands import output
from consumer.commands.bench.figures import LOAD_SHARE, Latency, Rate, Shape, Suggestion, best, suggest
from consumer.commands.bench.measure import saturated, steady
from consumer.commands.requests import encode, generated
from consumer.commands.run import beside_an_embedded_broker
from consumer.embedded import LIMITS, embedded_broker
from consumer.failures import CannotConnect
from consumer.kafka.topics import create_topics, delete_topics

PREFIX = "batchsum-bench-"
VALUES_MAX, VALUES_BYTES_MAX = 1_000, 16 * 1024 * 1024
SEED = 2026


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and where: with `embedded`, on a broker of its own."""

    shape: Shape
    seconds: float
    embedded: bool
    partitions: int
    replication: int
    target: float | None


async def bench(settings: Settings, plan: Plan, *, as_json: bool) -> None:
    """Measure an instance with few workers and with all, and then its latency at half of its rate; print what follows.

    Raises:
        Failure: Brokers, workers or the load failed.
    """
    values = requests(plan.shape)
    counts = sorted({1, settings.workers or usable_cpus()})
    with (
        _broker(settings, plan) as there,
        output.progress("measuring", round((len(counts) + 1) * plan.seconds)) as tick,
    ):
        rates = []
        for workers in counts:
            async with _stage(there.model_copy(update={"workers": workers}), plan) as staged:
                rates.append(await saturated(staged, values, seconds=plan.seconds, advance=tick))
        chosen = best(rates)
        async with _stage(there.model_copy(update={"workers": chosen.workers}), plan) as staged:
            rate = LOAD_SHARE * chosen.batches_per_s
            latency = await steady(staged, values, batches_per_s=rate, seconds=plan.seconds, advance=tick)
    _show(plan, rates, latency, suggest(chosen, settings.lane_chunks_max, plan.target), as_json=as_json)


def requests(shape: Shape) -> list[bytes]:
    """Requests of *shape*, many enough that no two neighbours are the same."""
    first, *_ = _encoded(shape, 1)
    return list(_encoded(shape, max(1, min(VALUES_MAX, VALUES_BYTES_MAX // len(first)))))


def _encoded(shape: Shape, batches: int) -> Iterator[bytes]:
    for batchid, payload in generated(batches=batches, lists=shape.lists, integers=shape.integers, seed=SEED):
        yield encode(batchid, payload).value or b""


@contextmanager
def _broker(settings: Settings, plan: Plan) -> Iterator[Settings]:
    if not plan.embedded:
        yield settings
        return
    output.note(LIMITS)
    with embedded_broker() as address:
        yield beside_an_embedded_broker(settings, address)


@asynccontextmanager
async def _stage(settings: Settings, plan: Plan) -> AsyncIterator[Settings]:
    """Topics and a group of its own for one measurement; the topics are removed at the end, and the group with them."""
    name = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    names = [f"{name}-requests", f"{name}-results", f"{name}-requests-dlq"]
    own = dict(zip(("request_topic", "result_topic", "dead_letter_topic"), names, strict=True))
    staged = settings.model_copy(update={**own, "group_id": name, "heartbeat_file": None, "http_enabled": False})
    if plan.embedded:
        yield staged
        return
    making = asyncio.create_task(create_topics(staged, partitions=plan.partitions, replication=plan.replication))
    try:
        # Whoever interrupts it must not leave behind what the brokers are just making.
        if not all(topic.created for topic in await asyncio.shield(making)):
            raise CannotConnect(f"topics of the name {name} are there already, and somebody else's")
        yield staged
    finally:
        if made := [topic.name for topic in await making if topic.created]:
            await delete_topics(settings, *made)


def _show(plan: Plan, rates: list[Rate], latency: Latency, suggestion: Suggestion, *, as_json: bool) -> None:
    if as_json:
        output.as_json(
            {
                "shape": asdict(plan.shape),
                "saturated": [asdict(rate) | {"batches_per_core_s": rate.batches_per_core_s} for rate in rates],
                "latency": asdict(latency),
                "suggested": asdict(suggestion),
            }
        )
        return
    output.table(
        f"Saturated, for {plan.seconds:g} s each, with batches of {plan.shape.lists} lists of {plan.shape.integers} integers",
        ("workers", "batches/s", "integers/s", "cores busy", "batches/s for each core"),
        [
            (
                str(rate.workers),
                f"{rate.batches_per_s:,.0f}",
                f"{rate.batches_per_s * plan.shape.total:,.0f}",
                "unknown" if rate.cores is None else f"{rate.cores:.1f}",
                "unknown" if rate.batches_per_core_s is None else f"{rate.batches_per_core_s:,.0f}",
            )
            for rate in rates
        ],
    )
    output.table(
        f"From when a request was due to its answer, at {LOAD_SHARE:.0%} of that",
        ("batches/s", "answers", "p50 ms", "p99 ms", "max ms"),
        [
            (
                f"{latency.batches_per_s:,.0f}",
                f"{latency.answers:,}",
                f"{latency.p50_ms:.1f}",
                f"{latency.p99_ms:.1f}",
                f"{latency.max_ms:.1f}",
            )
        ],
    )
    output.table(
        f"Suggested for {suggestion.batches_per_s:,.0f} batches/s, with as much again in reserve",
        ("workers", "instances", "partitions"),
        [(str(suggestion.workers), str(suggestion.instances), str(suggestion.partitions))],
    )
