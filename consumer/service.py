"""The life of an instance: start, serve, drain, stop."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from config.cpus import usable_cpus
from config.settings import Settings
from consumer import lane, memory
from consumer.failures import NotDrained, Stalled
from consumer.health import Health
from consumer.http import http_port
from consumer.kafka.client import wait_for_topics
from consumer.kafka.delivery import AtLeastOnce, Delivery, ExactlyOnce
from consumer.kafka.messages import instead
from consumer.kafka.producer import packing
from consumer.kafka.source import Source
from consumer.lanes import Lanes
from consumer.metrics import Counted
from consumer.pool import Pool
from consumer.recent import Recent
from consumer.report import Report
from consumer.snapshot import Bounds, Snapshot, Snapshots
from consumer.watchdog import Watchdog
from consumer.why import Why
from consumer.wire.answers import Form
from consumer.work import PoolLimits, Work
from domain.batch import Limits, Outcome

if TYPE_CHECKING:
    from consumer.traces import Traces

# The answers of small batches have about twice the bytes of their requests.
TRAY_CHUNKS = 2

log = structlog.get_logger(__name__)


class Service:
    """One instance. *work* replaces what the workers do; by default it is the summation of `domain`."""

    def __init__(self, settings: Settings, work: Work | None = None) -> None:
        self._settings = settings
        form = Form(settings.reply_to_failed, packing(settings), settings.group_id if settings.traced else "")
        self.pool = Pool(work or default_work(settings), pool_limits(settings), form)
        deliver = ExactlyOnce if settings.delivery == "exactly_once" else AtLeastOnce
        self._delivery: Delivery = deliver(
            settings,
            instead=partial(instead, reject=self.pool.reject, form=form),
            service=f"batchsum {version('batchsum')}",
        )
        self._lanes = Lanes(self._make_lane, drain_timeout_s=settings.drain_timeout_ms / 1000)
        self.source = Source(settings, self._lanes)
        self.report = Report(interval_s=settings.log_interval_ms / 1000, lag=lambda: self.lag)
        self.recent = Recent()
        self._traces = _traces(settings)
        self._reports: list[lane.Report] = [self.report, self.recent, Counted()]
        if self._traces is not None:
            self._reports.append(self._traces)
        self._snapshots = Snapshots(
            lanes=self._lanes,
            pool=self.pool,
            report=self.report,
            recent=self.recent,
            bounds=Bounds(lane_chunks_max=settings.lane_chunks_max, chunk_bytes_max=settings.chunk_bytes_max),
        )
        self.health = Health(source=self.source, lanes=self._lanes, pool=self.pool, delivery=self._delivery)
        self._watchdog = Watchdog(
            check=self._check,
            troubles=self.health.troubles,
            stall_timeout_s=settings.stall_timeout_ms / 1000,
            heartbeat_file=settings.heartbeat_file,
        )
        self.http = http_port(self, settings) if settings.http_enabled else None

    async def run(self, stop: asyncio.Event) -> None:
        """Live until *stop* is set, and then drain, commit, and leave the group.

        Raises:
            Failure: The instance could not start, could not go on, or could not drain in time.
        """
        async with AsyncExitStack() as closing:
            starting = asyncio.create_task(self._start(closing))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                try:
                    await self._drain()  # partitions may have been assigned, or still be, until the group is left
                finally:
                    starting.cancel()
                    await asyncio.gather(starting, return_exceptions=True)
                return
            await starting
            await self._serve(stopping)

    async def _start(self, closing: AsyncExitStack) -> None:
        """Open everything, in the one order that works; *closing* undoes it in reverse."""
        if self._traces is not None:
            closing.push_async_callback(self._traces.close)
        await self.pool.start()  # T21: workers first, while there is no socket that one of them could inherit
        closing.push_async_callback(self.pool.stop)
        if self.http is not None:
            self.http.bind()
            closing.callback(self.http.close)
        await wait_for_topics(self._settings, self._settings.request_topic, self._settings.result_topic)
        await self._delivery.start()
        closing.push_async_callback(self._delivery.stop)
        await self.source.start()
        closing.push_async_callback(self.source.stop)
        closing.push_async_callback(self._lanes.close)
        memory.settle()
        log.info("started", group=self._settings.group_id, workers=len(self.pool.pids))

    async def _serve(self, stopping: "asyncio.Task[bool]") -> None:
        background = [
            asyncio.create_task(part.run(), name=type(part).__name__.lower())
            for part in (self.source, self._watchdog, self.report, self.http)
            if part is not None
        ]
        self.health.background = background
        try:
            ends: list[asyncio.Future[Any]] = [stopping, self._lanes.failed, *background]
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()  # whatever ends by itself ends by an error, but for the wish to stop
            self.health.draining = True
            log.info("draining")
            # The background goes on meanwhile: what drains is committed, and heartbeats are sent.
            await self._drain()
            log.info("drained", batches_total=self.report.batches)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    async def _drain(self) -> None:
        if not await self._lanes.close():
            raise NotDrained(f"not drained within {self._settings.drain_timeout_ms} ms")

    def _make_lane(self, source: lane.Source) -> lane.Lane:
        exactly_once = self._settings.delivery == "exactly_once"
        return lane.Lane(
            source=source,
            work=self.pool,
            sink=self._delivery.sink(source.partition),
            reports=self._reports,
            chunks_max=self._settings.lane_chunks_max,
            linger_s=self._settings.transaction_linger_ms / 1000 if exactly_once else 0.0,
        )

    def snapshot(self) -> Snapshot:
        """What it is doing now."""
        return self._snapshots.take(self.source.partitions)

    async def process_batch(self, value: bytes) -> Outcome:
        """The outcome of a batch that came from no topic, through the same pool."""
        (outcome,) = await self.pool.outcomes([value])
        return outcome

    async def why(self) -> Why:
        """What it is doing now, and where in the code."""
        return Why.of(self.snapshot(), await self.pool.stacks())

    @property
    def lag(self) -> int:
        """Records of this instance's partitions that are not done."""
        return sum(partition.lag for partition in self.source.partitions)

    def _check(self) -> None:
        self.source.check()
        if self.pool.quarantine.busy or any(self._delivery.troubles(self._lanes.open_partitions)):
            return  # these have limits of their own
        for partition in self.source.partitions:
            if partition.stuck_s > self._settings.progress_timeout_ms / 1000:
                raise Stalled(f"partition {partition.partition} has made no progress for {partition.stuck_s:.0f} s")


def _traces(settings: Settings) -> "Traces | None":
    if not settings.traced:
        return None
    from consumer.traces import Traces, sending_to  # noqa: PLC0415 - optional, and takes a while to import

    return Traces(sending_to(settings.traces_endpoint), group_id=settings.group_id)


def default_work(settings: Settings) -> Work:
    """The summation of `domain`, within the limits of *settings*."""
    return Work(
        batch_limits=Limits(result_bytes_max=settings.result_bytes_max, details_max=settings.rejection_details_max)
    )


def pool_limits(settings: Settings) -> PoolLimits:
    """The pool's bounds, as *settings* have them."""
    return PoolLimits(
        workers=settings.workers or usable_cpus(),
        chunk_timeout_s=settings.chunk_timeout_ms / 1000,
        start_timeout_s=settings.worker_start_timeout_ms / 1000,
        memory_bytes_max=settings.worker_memory_bytes_max,
        lone_attempts_max=settings.lone_attempts_max,
        convictions_in_a_row_max=settings.convictions_in_a_row_max,
        tray_bytes=TRAY_CHUNKS * settings.chunk_bytes_max,
    )
