"""A service inside the test's own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import Settings
from consumer.service import Service
from consumer.work import Work

STOP_TIMEOUT_S = 60.0


@asynccontextmanager
async def running_service(settings: Settings, work: Work | None = None) -> AsyncIterator[Service]:
    """An instance that is stopped as SIGTERM would stop it; what ended it before that is raised."""
    service, stop = Service(settings, work), asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    body = asyncio.current_task()
    assert body is not None
    running.add_done_callback(lambda _: None if stop.is_set() else body.cancel("the service ended by itself"))
    try:
        yield service
    except asyncio.CancelledError:
        if running.done() and not running.cancelled() and (error := running.exception()):
            raise error from None
        raise
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), STOP_TIMEOUT_S)
    await running
