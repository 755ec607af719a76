"""An instance like that of `batchsum run`, but its workers misbehave where a batchid says so, and its event loop can be blocked.

`python -m tests.support.faulty_instance`, with settings from the environment. SIGUSR1 blocks the event loop for
`BLOCKED_S`.
"""
# ruff: noqa: PLC0415 - workers import this module, too, and shall not pay for the service

import asyncio
import signal
import sys
import time

BLOCKED_S = 6.0


def main() -> int:
    """Run until SIGTERM, and return the exit code of `batchsum run`."""
    from config.logging import configure
    from config.settings import Settings
    from config.sources import load
    from consumer.commands import run as command
    from consumer.service import Service, default_work
    from tests.support.faulty_work import faulty_work

    async def run_faulty_service(settings: Settings, stop: asyncio.Event) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, time.sleep, BLOCKED_S)
        await Service(settings, faulty_work(default_work(settings).batch_limits)).run(stop)

    command.run_service = run_faulty_service
    settings = load(None, {}).settings
    configure(settings)
    return asyncio.run(command.run(settings, embedded=False))


if __name__ == "__main__":
    sys.exit(main())
