"""`batchsum run`: one instance of the service, from its start to its exit code."""

import asyncio
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import structlog

from config.settings import Settings
from consumer.commands import output
from consumer.embedded import LIMITS, embedded_broker, forwarded
from consumer.failures import Failure, NotDrained
from consumer.service import Service

# timeout(1) and some init processes send one signal twice, to the process and to its group.
SAME_SIGNAL_S = 0.5
STOPPING = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


async def run_service(settings: Settings, stop: asyncio.Event) -> None:
    """Run an instance until `stop` is set.

    Raises:
        Failure: it could not start, go on, or drain in time.
    """
    service = Service(settings)
    with telling_why(service):
        await service.run(stop)


async def run(settings: Settings, *, embedded: bool) -> int:
    """Run an instance until SIGTERM or SIGINT, and return the exit code. The second signal ends it at once."""
    stop = asyncio.Event()
    signals = Signals(stop)
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, signals.take, number)
    try:
        async with AsyncExitStack() as stack:
            if embedded:
                settings = await _embed(settings, stack)
            await run_service(settings, stop)
    except Failure as failure:
        log.error("stopped", reason=str(failure), exit_code=failure.exit_code)  # noqa: TRY400 - its text says it all
        return failure.exit_code
    else:
        log.info("stopped", exit_code=0)
        return 0
    finally:
        # All is done. Whoever asks once more while Python cleans up is not to turn the exit code into that of a signal.
        for number in STOPPING:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def telling_why(service: Service) -> Iterator[None]:
    """Tell on standard error what *service* is doing, whenever SIGUSR1 asks for it."""
    loop, stderr = asyncio.get_running_loop(), sys.__stderr__ or sys.stderr
    telling: set[asyncio.Task[None]] = set()

    async def tell() -> None:
        for line in (await service.why()).lines():
            print(line, file=stderr)
        stderr.flush()

    def begin() -> None:
        if not telling:  # one at a time
            telling.add(task := loop.create_task(tell(), name="why"))
            task.add_done_callback(telling.discard)

    loop.add_signal_handler(signal.SIGUSR1, begin)
    # The threads' stacks come at once, from a handler in C, for an event loop that hangs would never come to the rest.
    faulthandler.register(signal.SIGUSR1, file=stderr, all_threads=True, chain=True)
    try:
        yield
    finally:
        faulthandler.unregister(signal.SIGUSR1)
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)  # late is no reason to die of it


def beside_an_embedded_broker(settings: Settings, address: str) -> Settings:
    """Return `settings` for a service on the embedded broker, which has neither TLS nor passwords."""
    return settings.model_copy(update={"bootstrap_servers": address, "security_protocol": "PLAINTEXT"})


async def _embed(settings: Settings, stack: AsyncExitStack) -> Settings:
    address = stack.enter_context(embedded_broker())
    front = await stack.enter_async_context(forwarded(address))
    output.note(f"{LIMITS}\nIt listens on {front}.")
    return beside_an_embedded_broker(settings, address)


class Signals:
    """The first signal asks for an orderly stop, the second one ends the process."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._first_at: float | None = None

    def take(self, number: signal.Signals) -> None:
        """Act on a signal."""
        now = time.monotonic()
        if self._first_at is None:
            self._first_at = now
            log.info("stopping", signal=number.name)
            self._stop.set()
        elif now > self._first_at + SAME_SIGNAL_S:
            # What is in flight is not committed, so it will be done again; workers end with their parent.
            log.error("stopped", reason="a second signal", signal=number.name, exit_code=NotDrained.exit_code)
            os._exit(NotDrained.exit_code)
