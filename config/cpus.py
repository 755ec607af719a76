"""How many CPUs this process may use, which in a container is fewer than the machine has."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from config.cgroups import ROOT, control_groups


def usable_cpus(root: Path = ROOT) -> int:
    """Return the number of CPUs this process may use, at least 1: the affinity mask, capped by the cgroups' quotas.

    A quota of 2.5 CPUs counts as 2: the event loop needs time too, and a process that is throttled misses heartbeats.
    """
    return max(1, int(min([len(os.sched_getaffinity(0)), *_quotas(root)])))


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return the CPUs that the cgroups grant to this process and its like, in parts too; None: they set no limit."""
    return min(_quotas(root), default=None)


def _quotas(root: Path) -> Iterator[float]:
    """Yield the CPU quota of every cgroup this process is in."""
    for group in control_groups(root, "cpu"):
        with suppress(OSError):
            quota, period = (group / "cpu.max").read_text().split()
            if quota != "max":
                yield int(quota) / int(period)
        with suppress(OSError):
            quota_us = int((group / "cpu.cfs_quota_us").read_text())
            if quota_us > 0:
                yield quota_us / int((group / "cpu.cfs_period_us").read_text())
