"""The machine and the software that a run was made with."""

import os
import platform
import subprocess
from pathlib import Path

import psutil

from config.cpus import usable_cpus
from tests.support.brokers.node import java


def machine(broker: str) -> dict[str, str]:
    """What a reader must know to judge the figures."""
    return {
        "processor": f"{_processor()}, {usable_cpus()} cores for everything, the broker included",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"Linux {platform.release()}",
        "python": platform.python_version(),
        "java": _java_version(),
        "broker": broker,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def _java_version() -> str:
    run = subprocess.run([java() or "java", "-version"], capture_output=True, text=True, timeout=60, check=True)
    return run.stderr.splitlines()[0].partition('"')[2].partition('"')[0]
