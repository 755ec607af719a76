"""The service with the work left out: fetched, sent to a worker and back, published, committed. Run as a system."""

import asyncio
import signal
from collections.abc import Sequence

from domain.batch import Limits, Outcomes


def echo(values: Sequence[bytes | None], _limits: Limits) -> Outcomes:
    """Each value is its own answer."""
    return Outcomes([""] * len(values), list(values), {})


async def run() -> None:
    """Run an instance until SIGTERM."""
    # Here and not above, because workers import this module too, and are to start as those of the service do.
    from config.logging import configure  # noqa: PLC0415
    from config.sources import load  # noqa: PLC0415
    from consumer.service import Service  # noqa: PLC0415
    from consumer.work import Work  # noqa: PLC0415

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = load().settings
    configure(settings)
    await Service(settings, Work(process=echo, batch_limits=Limits())).run(stop)


if __name__ == "__main__":
    import benchmarks.echo

    asyncio.run(benchmarks.echo.run())  # by its full name, under which workers find its function
