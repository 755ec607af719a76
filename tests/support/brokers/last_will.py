"""Cleaning up even after a test process that was killed."""

import subprocess
from collections.abc import Sequence

# The shell's standard input is a pipe that ends when its other end is closed: by the kernel, however the process dies.
WAIT_THEN_RUN = 'cat >/dev/null; exec "$@"'


class LastWill:
    """A command that is run when this process ends, whether by returning or by SIGKILL, unless it is revoked first.

    The kernel's own way, PR_SET_PDEATHSIG, looks simpler, but it fires when the *thread* ends that started the child:
    a broker restarted by `asyncio.to_thread` would die with the test's event loop.
    """

    def __init__(self, command: Sequence[str]) -> None:
        # In a session of its own, so that a Ctrl-C meant for the tests does not end it before its time.
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", WAIT_THEN_RUN, "last-will", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def revoke(self) -> None:
        """The command is not run any more."""
        self._keeper.kill()
        self._keeper.communicate()
