"""How much memory this process and its workers may use, which in a container is less than the machine has."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from config.cgroups import ROOT, control_groups

# Version 1 has no word for "no limit", but a number that no machine has memory for.
UNLIMITED_BYTES = 1 << 60


def memory_limit(root: Path = ROOT) -> int | None:
    """Return the bytes that the cgroups grant to this process and its workers together; None: they set no limit."""
    return min(_limits(root), default=None)


def _limits(root: Path) -> Iterator[int]:
    """Yield the memory limit of every cgroup this process is in."""
    for group in control_groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # ValueError: "max"
                limit = int((group / name).read_text())
                if limit < UNLIMITED_BYTES:
                    yield limit
