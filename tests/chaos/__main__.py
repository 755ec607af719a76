"""`python -m tests.chaos`: a long run, or several, with a seed that repeats it. `make chaos SEED=7 MINUTES=10`."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import get_args

from consumer.ledger.entry import Delivery
from tests.chaos.cluster import ChaosKafka
from tests.chaos.conductor import Conductor, Report
from tests.chaos.scene import scene

NODES = 3


def main() -> int:
    """Run each way to deliver, and return 1 if anything was violated."""
    arguments = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    arguments.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="random if not given"
    )
    arguments.add_argument("--minutes", type=float, default=10, help="for each way to deliver")
    arguments.add_argument("--delivery", choices=get_args(Delivery), action="append", help="both if not given")
    chosen = arguments.parse_args()
    say(f"seed {chosen.seed}")
    logs = Path(tempfile.mkdtemp(prefix=f"batchsum-chaos-{chosen.seed}-"))
    try:
        reports = asyncio.run(run(chosen.seed, chosen.minutes, chosen.delivery or get_args(Delivery), logs))
    except BaseException:
        say(f"not done; the logs are in {logs}")
        raise
    for report in reports:
        say(str(report).partition("\n")[0] if not report.violations else str(report))
    if any(report.violations for report in reports):
        say(f"the logs are in {logs}; repeat it: make chaos SEED={chosen.seed} MINUTES={chosen.minutes:g}")
        return 1
    shutil.rmtree(logs)
    return 0


async def run(seed: int, minutes: float, deliveries: Sequence[Delivery], logs: Path) -> list[Report]:
    """One run for each of *deliveries*, on a cluster of its own; what the brokers have logged is kept beside the rest."""
    reports = []
    for delivery in deliveries:
        directory = logs / delivery
        directory.mkdir()
        kafka = ChaosKafka(nodes=NODES)
        try:
            await asyncio.to_thread(kafka.start)
            async with scene(kafka, directory, delivery=delivery) as stage:
                reports.append(await Conductor(stage, seed, say).conduct(minutes * 60))
        finally:
            for node in kafka.nodes:
                with suppress(FileNotFoundError):
                    shutil.copy(node.log_file, directory / f"broker-{node.number}.log")
            await asyncio.to_thread(kafka.close)
    return reports


def say(line: str) -> None:
    """Say it at once: a run is long, and may be ended before its time."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
