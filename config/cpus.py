"""How many CPUs this process may use, which in a container is fewer than the machine has."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def usable_cpus(root: Path = ROOT) -> int:
    """Return the number of CPUs this process may use, at least 1: the affinity mask, capped by the cgroups' quotas.

    A quota of 2.5 CPUs counts as 2: the event loop needs time too, and a process that is throttled misses heartbeats.
    """
    return max(1, int(min([len(os.sched_getaffinity(0)), *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the CPU quota of every cgroup this process is in; whoever has the least decides."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _version_2(root / "sys/fs/cgroup", path)
            elif "cpu" in controllers.split(","):
                yield from _version_1(root / "sys/fs/cgroup" / controllers, path)
                yield from _version_1(root / "sys/fs/cgroup/cpu", path)


def _version_2(mount: Path, path: str) -> Iterator[float]:
    for group in _upwards(mount, path):
        with suppress(OSError):
            quota, period = (group / "cpu.max").read_text().split()
            if quota != "max":
                yield int(quota) / int(period)


def _version_1(mount: Path, path: str) -> Iterator[float]:
    for group in _upwards(mount, path):
        with suppress(OSError):
            quota = int((group / "cpu.cfs_quota_us").read_text())
            if quota > 0:
                yield quota / int((group / "cpu.cfs_period_us").read_text())


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Yield the group and its ancestors; inside a container some are out of sight, and the mount is the group itself."""
    group = PurePosixPath(path)
    for ancestor in (group, *group.parents):
        yield mount / str(ancestor).lstrip("/")
