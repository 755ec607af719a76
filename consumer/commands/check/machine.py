"""The machine, or the container, against what the settings mean to use of it."""

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass

from config.cpus import cpu_quota, usable_cpus
from config.memory import memory_limit
from config.settings import Settings
from config.units import MIB
from consumer.commands.check.finding import Finding, error, warning
from consumer.desk import CALLS_MAX
from consumer.kafka.guards import records_are_compiled
from consumer.kafka.survey.cluster import Cluster
from consumer.service import pool_limits

# What a process takes before it has seen a record: measured, and rounded up.
PARENT_BYTES, WORKER_BYTES = 96 * MIB, 48 * MIB
# A byte of JSON is parsed into so many at most: an integer of four digits takes 36 bytes with its place in a list, and
# the value itself and its answer are there too.
PARSED_BYTES_PER_BYTE = 12
CONNECTIONS_PER_BROKER, FILES_PER_WORKER, OTHER_FILES = 6, 7, 64
STOP_S = 5.0  # after draining: to commit, leave the group and close connections


@dataclass(frozen=True, slots=True)
class Machine:
    """What may be used; None: there is no limit."""

    cpus: int
    cpu_quota: float | None
    memory_bytes: int | None
    open_files: int

    @classmethod
    def this(cls) -> "Machine":
        """The one that this process is on."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(usable_cpus(), cpu_quota(), memory_limit(), files)


def machine(settings: Settings, cluster: Cluster, here: Machine) -> Iterator[Finding]:
    """What is too little, or not what it should be."""
    workers = settings.workers or here.cpus
    if workers > here.cpus:
        yield warning(
            "workers",
            f"are {workers}, and this process may use {here.cpus} CPUs: they would only wait for one another",
            f"set workers to {here.cpus}, or grant more CPUs",
        )
    elif here.cpu_quota is not None and here.cpu_quota < 1:
        yield warning(
            "cpu",
            f"{here.cpu_quota:g} CPUs are granted, and a process that is throttled misses heartbeats",
            "grant at least one CPU, better one more than there are workers",
        )
    yield from _memory(settings, cluster, here, workers)
    files = files_needed(settings, cluster, workers)
    if files > here.open_files:
        yield error("open files", f"{here.open_files} are allowed, and {files} needed", f"ulimit -n {files}, or more")
    heartbeat = settings.heartbeat_file
    if heartbeat is not None and not os.access(heartbeat if heartbeat.exists() else heartbeat.parent, os.W_OK):
        yield error("heartbeat_file", f"{heartbeat} cannot be written", "make its folder, or name another one")
    if not records_are_compiled():
        yield warning(
            "aiokafka",
            "has no compiled extension here, and reads records ten times as slowly without",
            "install it from a wheel",
        )


def _memory(settings: Settings, cluster: Cluster, here: Machine, workers: int) -> Iterator[Finding]:
    largest = WORKER_BYTES + PARSED_BYTES_PER_BYTE * _largest(settings, cluster)
    if 0 < settings.worker_memory_bytes_max < largest:
        yield warning(
            "worker_memory_bytes_max",
            f"is {settings.worker_memory_bytes_max}, and the largest request that its topic takes may need {largest}: it would be"
            " a dead letter, out_of_memory",
            f"raise it to {largest}, or lower max.message.bytes of the request topic",
        )
    if here.memory_bytes is None:
        return
    parent, worker = memory_bounds(settings, cluster)
    bound = parent + workers * worker
    least = PARENT_BYTES + workers * WORKER_BYTES
    if least > here.memory_bytes:
        yield error(
            "memory",
            f"{_mib(here.memory_bytes)} are granted, and {workers} workers and their parent take {_mib(least)} to begin with",
            "grant more, or lower workers",
        )
    elif bound > here.memory_bytes:
        yield warning(
            "memory",
            f"{_mib(here.memory_bytes)} are granted, and the settings allow {_mib(bound)}: {_mib(parent)} for the parent and"
            f" {_mib(worker)} for each of {workers} workers",
            f"grant {_mib(bound)}, or lower fetch_bytes_max, lane_chunks_max, chunk_bytes_max or workers",
        )


def memory_bounds(settings: Settings, cluster: Cluster) -> tuple[int, int]:
    """The most bytes that the parent and each worker can take, if one instance has all partitions.

    As docs/guarantees.md has it: what is on its way, what was fetched ahead, and the chunks in flight with their answers.
    """
    requests = cluster.topics.get(settings.request_topic)
    partitions = len(requests.partitions) if requests else 0
    record = _largest(settings, cluster)
    chunk = max(settings.chunk_bytes_max, record)
    # One here, one that the client has fetched meanwhile, and what else was fetched with the oldest chunk in flight.
    ahead = 3 * max(settings.partition_fetch_bytes_max, record)
    parent = (
        PARENT_BYTES
        + 2 * max(1, len(cluster.brokers)) * settings.fetch_bytes_max
        + partitions * (ahead + 2 * settings.lane_chunks_max * chunk)
    )
    worker = WORKER_BYTES + PARSED_BYTES_PER_BYTE * chunk + CALLS_MAX * pool_limits(settings).tray_bytes
    return parent, min(worker, settings.worker_memory_bytes_max or worker)


def _largest(settings: Settings, cluster: Cluster) -> int:
    """The largest request that its topic takes; 0 if that cannot be known."""
    requests = cluster.topics.get(settings.request_topic)
    return (requests.number("max.message.bytes") if requests else None) or 0


def files_needed(settings: Settings, cluster: Cluster, workers: int) -> int:
    """The most files, sockets and pipes that the parent has open at once, if one instance has all partitions."""
    requests = cluster.topics.get(settings.request_topic)
    partitions = len(requests.partitions) if requests and settings.delivery == "exactly_once" else 0
    brokers = max(1, len(cluster.brokers))
    producers = partitions * (brokers + 1)  # each has a connection to every leader and one to its coordinator
    return OTHER_FILES + FILES_PER_WORKER * (workers + 1) + CONNECTIONS_PER_BROKER * brokers + producers


def grace(settings: Settings, grace_period_s: float | None) -> Iterator[Finding]:
    """Whether whoever stops an instance is patient enough."""
    needed_s = settings.drain_timeout_ms / 1000 + STOP_S
    if grace_period_s is not None and grace_period_s < needed_s:
        yield warning(
            "drain_timeout_ms",
            f"is {settings.drain_timeout_ms}, and the process is killed {grace_period_s:g} s after SIGTERM: what is in flight"
            " would be done twice",
            f"grant {needed_s:g} s, or lower it to {max(0, int((grace_period_s - STOP_S) * 1000))}",
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:.0f} MiB"
