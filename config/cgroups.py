"""The control groups that this process is in, which bound it more tightly than the machine does."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folder of each group that may bound `controller`, of either version; whoever has the least decides."""
    mount = root / "sys/fs/cgroup"
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _upwards(mount, path)
            elif controller in controllers.split(","):
                yield from _upwards(mount / controllers, path)
                yield from _upwards(mount / controller, path)


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Yield the group and its ancestors; inside a container some are out of sight, and the mount is the group itself."""
    group = PurePosixPath(path)
    for ancestor in (group, *group.parents):
        yield mount / str(ancestor).lstrip("/")
