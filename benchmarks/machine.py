"""The machine and the software that a run was made with."""

import asyncio
import os
import platform
import subprocess
from pathlib import Path

import psutil

from benchmarks.broker import Stage
from benchmarks.systems import ROOT, WORKERS
from config.cpus import usable_cpus
from config.settings import Settings
from consumer.commands.check.machine import memory_bounds
from consumer.kafka.survey.cluster import survey
from tests.support.brokers.node import java

LOOK_S = 3.0


def machine(broker: str) -> dict[str, str]:
    """What a reader must know to judge the figures."""
    return {
        "processor": f"{_processor()}, {usable_cpus()} cores for everything, the broker included",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"Linux {platform.release()}",
        "python": platform.python_version(),
        "java": _java_version(),
        "broker": broker,
        "commit": _commit(),
    }


def busy() -> float:
    """The share of its processors that the machine is using while nothing is measured: figures want it near 0."""
    return psutil.cpu_percent(interval=LOOK_S) / 100


def memory_bound_mib(stage: Stage) -> float:
    """The most memory that the default settings let the service have, with all partitions: as `batchsum check` says."""
    topic = stage.fresh_topic("bound")
    settings = Settings(bootstrap_servers=stage.bootstrap_servers, request_topic=topic)
    parent, worker = memory_bounds(settings, asyncio.run(survey(settings)))
    stage.delete(topic)
    return (parent + WORKERS * worker) / 2**20


def _commit() -> str:
    """What was measured: the commit, and whether the tree has changes beside it; empty outside of a repository."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return ""
    return run.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def _java_version() -> str:
    run = subprocess.run([java() or "java", "-version"], capture_output=True, text=True, timeout=60, check=True)
    return run.stderr.splitlines()[0].partition('"')[2].partition('"')[0]
