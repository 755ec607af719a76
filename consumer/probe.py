"""Whether the instance beside it is healthy: for a supervisor that runs a command to find out.

`python -m consumer.probe` needs no shell and no package, and ends in a moment: 0 while the heartbeat file is fresh, 1
otherwise, with the reason in a line.
"""

import os
import sys
import time

FRESH_S = 15.0  # the file is touched every second


def verdict(file: str | None) -> str | None:
    """Why the instance whose heartbeat is *file* is not healthy; None if it is."""
    if not file:
        return "BATCHSUM_HEARTBEAT_FILE is not set"
    try:
        age_s = time.time() - os.stat(file).st_mtime  # noqa: PTH116 - pathlib would take longer than all of the rest
    except OSError as error:
        return f"{file}: {error.strerror}"
    return f"the last heartbeat was {age_s:.0f} s ago" if age_s > FRESH_S else None


if __name__ == "__main__":
    sys.exit(verdict(os.environ.get("BATCHSUM_HEARTBEAT_FILE")))
