"""The conductor: draws faults from a seed, lets them strike while a load runs, and has the ledger judge what comes of it."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from config.units import MIB
from consumer.ledger.entry import Violation
from tests.chaos.faults import DURATIONS_S, HAT, Strike, start
from tests.chaos.load import mixed
from tests.chaos.scene import IN_FLIGHT_MAX, Scene
from tests.support.instances import Instance

INSTANCES = 2
BATCHES_PER_S = 150
LATENCY_S = 0.02  # what lies between two steps of the service is then long enough for a fault to strike there
PAUSES_S = (0.5, 4.0)
RECOVERY_S = 60.0  # after a fault is over, whatever was asked until then has its outcome within this time
SETTLED_S = 90.0
MEMORY_BYTES_MAX = 300 * MIB
WATCH_S = 0.5
VIOLATIONS_SHOWN_MAX = 20

# How an instance may end: well, by its own decision (see `batchsum run --help`), or by the conductor's hand.
EXIT_CODES = {0, 3, 4, 5, 6, -signal.SIGKILL}


def plan(seed: int) -> Iterator[Strike]:
    """Strikes without end; the same for the same seed, whatever happens meanwhile.

    Every fault comes once, in a drawn order, before any comes again.
    """
    numbers = random.Random(seed)
    while True:
        for fault in numbers.sample(list(HAT), len(HAT)):
            yield Strike(
                fault=fault,
                choice=numbers.random(),
                duration_s=numbers.uniform(*DURATIONS_S),
                pause_s=numbers.uniform(*PAUSES_S),
            )


@dataclass(slots=True)
class Report:
    """What happened in a run, and what was wrong."""

    seed: int
    delivery: str
    strikes: int = 0
    batches: int = 0
    duplicates_max: int = 0
    duplicates: int = 0
    timeline: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    def __str__(self) -> str:
        shown = [f"  {violation}" for violation in self.violations[:VIOLATIONS_SHOWN_MAX]]
        head = f"seed {self.seed}, {self.delivery}: {self.strikes} faults, {self.batches} batches, "
        return "\n".join(
            [f"{head}{self.duplicates} duplicates, {len(self.violations)} violations", *shown, *self.timeline]
        )


class Conductor:
    """One run on one scene."""

    def __init__(self, stage: Scene, seed: int, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._say = say
        self._started_at = time.monotonic()
        self.report = Report(seed, stage.delivery)

    async def conduct(self, duration_s: float) -> Report:
        """Let faults strike for *duration_s*, and judge; the last one may take as long as it takes."""
        stage, report = self._stage, self.report
        self._tell(f"seed {report.seed}, {stage.delivery}, {duration_s:g} s")
        for proxy in stage.kafka.proxies:
            proxy.usual_latency_s = proxy.latency_s = LATENCY_S
        async with self._supervised(), stage.loaded(mixed(random.Random(report.seed)), batches_per_s=BATCHES_PER_S):
            await stage.flowing(within_s=RECOVERY_S)
            for strike in plan(report.seed):
                if time.monotonic() > self._started_at + duration_s:
                    break
                await self._let_strike(strike)
                await asyncio.sleep(strike.pause_s)
        await self._end()
        report.batches, report.duplicates = stage.ledger.requests, stage.ledger.duplicates()
        report.violations += stage.judge(duplicates_max=report.duplicates_max)
        self._tell(f"{len(report.violations)} violations")
        return report

    async def _let_strike(self, strike: Strike) -> None:
        report, struck_at, repeated_before = self.report, time.monotonic(), self._stage.ledger.duplicates()
        self._tell(f"{strike.fault}, {strike.duration_s:.1f} s")
        what = await HAT[strike.fault](self._stage, strike)
        over_at = time.monotonic()
        try:
            await self._stage.flowing(within_s=RECOVERY_S)
        except TimeoutError:
            left = self._stage.ledger.without_outcome()
            detail = f"{RECOVERY_S:g} s after {strike.fault} ({what}), {len(left)} without an outcome: {left[:5]}"
            report.violations.append(Violation("no progress", -1, -1, detail))
        now, repeated = time.monotonic(), self._stage.ledger.duplicates() - repeated_before
        self._tell(f"    {what}; results flow again after {now - over_at:.1f} s, {repeated} repeated")
        # Commits may fail for as long as a fault lasts, and what is published meanwhile is in flight, too.
        repeated_max = IN_FLIGHT_MAX + int((now - struck_at) * BATCHES_PER_S)
        if repeated > repeated_max:
            detail = f"{repeated}, at most {repeated_max}, at {strike.fault} ({what})"
            report.violations.append(Violation("too many duplicates", -1, -1, detail))
        report.strikes += 1
        report.duplicates_max += repeated_max

    @asynccontextmanager
    async def _supervised(self) -> AsyncIterator[None]:
        """Instances that are started again when they end, as any supervisor would, and looked at all the time."""

        async def watch() -> None:
            while True:
                for _ in range(INSTANCES - len(self._stage.instances.running)):
                    self._tell(f"    {start(self._stage).name} is started")
                for instance in self._stage.instances.running:
                    instance.look()
                await asyncio.sleep(WATCH_S)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _end(self) -> None:
        """Wait until all is done, stop all instances, and look at how each has ended."""
        stage, violations = self._stage, self.report.violations
        if not stage.instances.running:
            start(stage)
        await stage.look_through_requests()
        try:
            await stage.settled(timeout_s=SETTLED_S)
        except TimeoutError as error:
            violations.append(Violation("not settled", -1, -1, str(error).partition("\n")[0]))
        for instance in stage.instances.running:
            instance.terminate()
        for instance in stage.instances:
            violations += [Violation(kind, -1, -1, instance.name) for kind in await wrongs(instance)]

    def _tell(self, line: str) -> None:
        entry = f"{time.monotonic() - self._started_at:7.1f} s  {line}"
        self.report.timeline.append(entry)
        self._say(entry)


async def wrongs(instance: Instance) -> list[str]:
    """What is wrong with how an instance has ended."""
    try:
        code = await instance.ended()
    except TimeoutError:
        return ["an instance does not end"]
    # Told to end before it has begun, a process ends as any would, and has done nothing yet.
    well = code in EXIT_CODES or (code == -signal.SIGTERM and not instance.events())
    found = [] if well else [f"an undocumented exit: {code}"]
    if instance.memory_bytes_max > MEMORY_BYTES_MAX:
        found.append(f"too much memory: {instance.memory_bytes_max // MIB} MiB")
    # Python's event loop has nothing to say but of clients that are not closed, tasks not ended, errors that nobody took.
    loop = (event for event in instance.events() if (event.get("logger"), event.get("level")) == ("asyncio", "error"))
    return found + [f"something is left behind: {str(event['event']).splitlines()[0]}" for event in loop]
