"""How many CPUs a process may use, in a container and out of one."""

import os
from pathlib import Path

import pytest

from config.cpus import usable_cpus
from tests.support.files import write


@pytest.fixture(autouse=True)
def _eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)))


def test_without_cgroups_the_affinity_mask_decides(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == 8


def test_a_quota_caps_it(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "300000 100000\n"})
    assert usable_cpus(tmp_path) == 3


def test_the_affinity_mask_caps_a_larger_quota(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "3200000 100000\n"})
    assert usable_cpus(tmp_path) == 8


def test_no_quota_is_no_cap(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"})
    assert usable_cpus(tmp_path) == 8


@pytest.mark.parametrize(("quota", "cpus"), [("250000", 2), ("199999", 1), ("50000", 1)])
def test_a_part_of_a_cpu_does_not_count_but_one_there_always_is(quota: str, cpus: int, tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"})
    assert usable_cpus(tmp_path) == cpus


def test_the_smallest_quota_on_the_way_up_decides(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pods/one/main\n",
            "sys/fs/cgroup/pods/one/main/cpu.max": "600000 100000\n",
            "sys/fs/cgroup/pods/one/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/pods/cpu.max": "max 100000\n",
        },
    )
    assert usable_cpus(tmp_path) == 4


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize("path", ["/docker/abc", "/"])
def test_version_1_counts_too(folder: str, path: str, tmp_path: Path) -> None:
    """Inside a container, the path is the host's, and the mount is what it leads to."""
    write(
        tmp_path,
        {
            "proc/self/cgroup": f"5:memory:/docker/abc\n4:cpu,cpuacct:{path}\n",
            f"sys/fs/cgroup/{folder}/cpu.cfs_quota_us": "500000\n",
            f"sys/fs/cgroup/{folder}/cpu.cfs_period_us": "100000\n",
        },
    )
    assert usable_cpus(tmp_path) == 5


def test_version_1_without_a_quota_says_minus_one(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "4:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert usable_cpus(tmp_path) == 8
