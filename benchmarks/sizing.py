"""What a load asks for, from the figures of a run: cores, instances, workers, partitions, the broker, the network.

Rules, and where they come from: processors are planned to be busy for three fifths of their time, because at more queues
grow faster than load does; an instance has one event loop, which can use one core at most; half of what one partition
gave alone in the run is planned for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from benchmarks.document import Document, median
from benchmarks.profiles import PROFILES, Profile
from benchmarks.tables import number, table

BUSY_SHARE = 0.6
PARTITION_SHARE = 0.5
RATES = (1, 1_000, 1_000_000)
PROFILES_SHOWN = ("small", "medium", "large")
ANSWER_BYTES = 180  # of an answer, without its sums
SUM_BYTES = 9
REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Need:
    """What one load asks for. Cores are of the machine that was measured; the broker's are of all brokers together."""

    loops: float
    workers: float
    broker: float
    instances: int
    workers_each: int
    partitions: int
    megabytes_per_s: float
    next_bottleneck: str


def need(document: Document, profile: Profile, rate: int) -> Need | None:
    """What *rate* batches a second of *profile* ask for; None where the run has not measured it."""

    def figure(name: str) -> float | None:
        return median(document, "drains", profile.name, "batchsum", name)

    total, parent, broker = map(figure, ("cpu_s_per_million", "parent_cpu_s_per_million", "broker_cpu_s_per_million"))
    alone = median(document, "ways", "small", "one-partition", "batches_per_s")
    drained = median(document, "drains", "small", "batchsum", "batches_per_s")
    most = figure("batches_per_s")
    if total is None or parent is None or broker is None or alone is None or drained is None or most is None:
        return None
    loops, workers, brokers = (rate * cost / 1e6 / BUSY_SHARE for cost in (parent, total - parent, broker))
    instances = max(1, ceil(loops))
    one_partition = most * alone / drained * PARTITION_SHARE
    moved = len(profile.request(0)) + ANSWER_BYTES + SUM_BYTES * profile.shape_of(0).lists
    return Need(
        loops=loops,
        workers=workers,
        broker=brokers,
        instances=instances,
        workers_each=max(1, ceil(workers / instances)),
        partitions=max(2 * instances if instances > 1 else 1, ceil(rate / one_partition)),
        megabytes_per_s=rate * moved / 1e6,
        next_bottleneck=_next(loops, workers, brokers, rate * moved),
    )


def _next(loops: float, workers: float, broker: float, bytes_per_s: float) -> str:
    if max(loops, workers, broker) < BUSY_SHARE:
        return "none: one core idles"
    if bytes_per_s * (1 + REPLICAS) > 1e9:
        return "network and disks of the brokers"
    return "workers" if workers >= max(loops, broker) else "brokers" if broker >= loops else "event loop"


def sizes(document: Document) -> str:
    """The table: each profile at each rate."""
    rows: list[Sequence[str]] = [
        ("load", "loops", "workers", "brokers", "instances", "workers each", "partitions", "MB/s", "what is next")
    ]
    for name in PROFILES_SHOWN:
        for rate in RATES:
            asked = need(document, PROFILES[name], rate)
            if asked is not None:
                rows.append((f"{rate:,} {name}/s", *_cells(asked)))
    return table(rows)


def _cells(asked: Need) -> Iterator[str]:
    for cores in (asked.loops, asked.workers, asked.broker):
        yield f"{cores:.2g}" if cores < 10 else f"{cores:,.0f}"
    yield from (f"{count:,}" for count in (asked.instances, asked.workers_each, asked.partitions))
    yield number(asked.megabytes_per_s)
    yield asked.next_bottleneck
