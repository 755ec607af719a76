"""An instance in this process, its callers in another one, and a watch."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from dataclasses import dataclass
from os import sysconf
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from config.settings import Settings
from consumer.commands.bench.figures import Latency, Rate
from consumer.failures import Stalled
from consumer.kafka import load
from consumer.service import Service

NOTHING_TIMEOUT_S = 120.0
WARM_UP_S = 2.0
SHARE_PAUSE_S = 0.01
WAITING_BATCHES_MAX = 40_000
WAITING_BYTES_MAX = 8 * 1024 * 1024  # the embedded broker keeps little more

P = ParamSpec("P")
T = TypeVar("T")

Advance = Callable[[], None]


async def saturated(settings: Settings, values: Sequence[bytes], *, seconds: float, advance: Advance) -> Rate:
    """The rate of an instance that never lacks requests; *advance* is told each second.

    Raises:
        Failure: The instance or its callers could not go on.
    """
    waiting_max = min(WAITING_BATCHES_MAX, max(1, WAITING_BYTES_MAX // len(values[0])))
    seconds_max = 2 * NOTHING_TIMEOUT_S + WARM_UP_S + seconds

    async def measure(service: Service) -> Rate:
        async with _caller() as caller:
            flooding = caller.make(load.flood, settings, values, waiting_max=waiting_max, seconds_max=seconds_max)
            sharing = asyncio.create_task(caller.share(lambda: service.report.batches))
            measuring = asyncio.create_task(_rate(service, seconds, advance))
            try:
                ends: list[asyncio.Future[Any]] = [flooding, measuring]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if not measuring.done():
                    flooding.result()
                return await measuring
            finally:
                for task in (sharing, measuring):
                    task.cancel()
                caller.end()
                await asyncio.wait([flooding])

    return await _beside_an_instance(settings, measure)


async def steady(
    settings: Settings, values: Sequence[bytes], *, batches_per_s: float, seconds: float, advance: Advance
) -> Latency:
    """The latency of an instance that has *batches_per_s* to do.

    Raises:
        Failure: The instance or its callers could not go on, or none of the answers came.
    """

    async def measure(service: Service) -> Latency:
        await _until(lambda: bool(service.source.partitions))
        async with _caller() as caller:
            pacing = caller.make(
                load.pace, settings, values, batches_per_s=batches_per_s, warm_up_s=WARM_UP_S, seconds=seconds
            )
            while not pacing.done():
                await asyncio.wait([pacing], timeout=1)
                advance()
            if not (latencies_s := pacing.result()):
                raise Stalled("no request was answered")
            return Latency.of(latencies_s, batches_per_s)

    return await _beside_an_instance(settings, measure)


async def _beside_an_instance(settings: Settings, measure: Callable[[Service], Awaitable[T]]) -> T:
    """Run an instance for as long as *measure* takes; if it ends by itself, what ended it is raised."""
    stop, service = asyncio.Event(), Service(settings)
    serving = asyncio.create_task(service.run(stop))
    measuring = asyncio.ensure_future(measure(service))
    try:
        await asyncio.wait([serving, measuring], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not measuring.done():
            measuring.cancel()
        await asyncio.wait([measuring])
        stop.set()
        await asyncio.wait([serving])
    serving.result()
    return measuring.result()


@dataclass(frozen=True, slots=True)
class _Reading:
    """The watch, the counter and the processors, read at one moment."""

    at: float
    batches: int
    cpu_s: float | None

    @classmethod
    def of(cls, service: Service) -> "_Reading":
        return cls(time.monotonic(), service.report.batches, _cpu_s(service.pool.pids))


async def _rate(service: Service, seconds: float, advance: Advance) -> Rate:
    await _until(lambda: service.report.batches > 0)
    await asyncio.sleep(WARM_UP_S)
    before = _Reading.of(service)
    while (rest := before.at + seconds - time.monotonic()) > 0:
        await asyncio.sleep(min(1, rest))
        advance()
    await _until(lambda: service.report.batches > before.batches)  # one chunk may take longer than that
    after = _Reading.of(service)
    elapsed_s = after.at - before.at
    cores = None if before.cpu_s is None or after.cpu_s is None else (after.cpu_s - before.cpu_s) / elapsed_s
    return Rate(len(service.pool.pids), (after.batches - before.batches) / elapsed_s, cores)


async def _until(condition: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(NOTHING_TIMEOUT_S):
            while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(SHARE_PAUSE_S)
    except TimeoutError as error:
        raise Stalled(f"nothing was done within {NOTHING_TIMEOUT_S:.0f} s") from error


def _cpu_s(workers: Sequence[int]) -> float | None:
    """The processor time of this process and *workers*; None where the system has no such files."""
    try:
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in workers]
    except OSError:
        return None
    user, system = 11, 12  # places behind the name, which may contain anything
    ticks = sum(int(stat[user]) + int(stat[system]) for stat in stats)
    return time.process_time() + ticks / sysconf("SC_CLK_TCK")


class _Caller:
    """A process that makes load."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._answered = context.Value("q", 0)
        self._process = ProcessPoolExecutor(1, mp_context=context, initializer=load.prepare, initargs=(self._answered,))

    def make(self, kind: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Make load of one kind."""
        return asyncio.wrap_future(self._process.submit(kind, *args, **kwargs))

    async def share(self, answered: Callable[[], int]) -> None:
        """Tell the process again and again how far the instance is."""
        while True:
            self._answered.value = answered()
            await asyncio.sleep(SHARE_PAUSE_S)

    def end(self) -> None:
        """Tell it that it is enough."""
        self._answered.value = load.ENOUGH

    async def close(self) -> None:
        """Wait until the process has ended."""
        self.end()
        await asyncio.to_thread(self._process.shutdown, cancel_futures=True)


@asynccontextmanager
async def _caller() -> AsyncIterator[_Caller]:
    caller = _Caller()
    try:
        yield caller
    except BrokenProcessPool as error:
        raise Stalled("the process that makes the load has died") from error
    finally:
        await caller.close()
