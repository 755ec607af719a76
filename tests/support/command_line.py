"""The command line as a person or a script uses it, in a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TIMEOUT_S = 60


class CommandLine:
    """`batchsum`, with the settings of a test in its environment."""

    def __init__(self, **settings: str) -> None:
        variables = {f"BATCHSUM_{name.upper()}": value for name, value in settings.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BATCHSUM_")}
        self._environment = inherited | variables

    def __call__(self, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "consumer", *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=TIMEOUT_S,
            check=False,
        )

    async def run(self, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command beside a service that lives in this process."""
        return await asyncio.to_thread(self, *arguments, given=given)

    @asynccontextmanager
    async def started(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A command that goes on until it is told otherwise, or the test is over."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "consumer", *arguments),
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Whoever runs the tests in the background may ignore SIGINT, and a child would inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            # Not its end alone: whom it leaves behind may hold the pipe longer than the test has an event loop.
            await asyncio.wait_for(process.communicate(), TIMEOUT_S)
