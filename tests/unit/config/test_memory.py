"""How much memory a container leaves to a process."""

from pathlib import Path

import pytest

from config.memory import memory_limit
from tests.support.files import write


def test_without_cgroups_there_is_no_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) is None


@pytest.mark.parametrize(("text", "limit"), [("1073741824\n", 1 << 30), ("max\n", None)])
def test_version_2_says_a_number_or_max(text: str, limit: int | None, tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": text})
    assert memory_limit(tmp_path) == limit


@pytest.mark.parametrize(("text", "limit"), [("1073741824\n", 1 << 30), ("9223372036854771712\n", None)])
def test_version_1_says_a_number_that_no_machine_has_for_none(text: str, limit: int | None, tmp_path: Path) -> None:
    write(
        tmp_path,
        {"proc/self/cgroup": "5:memory:/main\n", "sys/fs/cgroup/memory/main/memory.limit_in_bytes": text},
    )
    assert memory_limit(tmp_path) == limit


def test_the_smallest_limit_on_the_way_up_decides(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pod/main\n",
            "sys/fs/cgroup/pod/main/memory.max": "2000000000\n",
            "sys/fs/cgroup/pod/memory.max": "1000000000\n",
        },
    )
    assert memory_limit(tmp_path) == 1_000_000_000
