"""Faults 1, 2, 3, 7, 27, 29: workers that are killed, that die of a batch, that hang, and that cannot start."""

import asyncio
import time
from typing import Any

import psutil
import pytest

from config.units import MIB
from tests.chaos.load import good, goods, order
from tests.chaos.scene import Scene, both_deliveries
from tests.support.http import http_settings, sample
from tests.support.waiting import patience, wait_until

pytestmark = pytest.mark.real_broker("it judges guarantees")


@both_deliveries
async def test_01_a_worker_killed_with_chunks_in_flight_costs_no_batch_anything(stage: Scene) -> None:
    """The pool is whole again in under 5 s, all batches are answered, and the rebuild is counted.

    A single attempt would be enough to convict a batch here, so none is charged one.
    """
    instance = await stage.started(faulty=True, workers=2, lone_attempts_max=1, **http_settings())
    await stage.produce_everywhere(lambda: [*goods(100), order("sleep:2"), *goods(100)])
    await wait_until(lambda: stage.ledger.outcomes > 0)  # so each partition's next chunk is with a worker, for 2 s
    victim, *_ = instance.workers()
    victim.kill()
    killed_at = time.monotonic()
    await instance.logged("workers replaced")
    await wait_until(lambda: len([worker for worker in instance.workers() if worker.pid != victim.pid]) >= 2)
    assert time.monotonic() - killed_at < 5 * patience()
    await stage.settled()
    assert await sample(instance.url, "batchsum_worker_rebuilds_total") == 1
    assert await instance.stopped() == 0
    assert stage.judge() == []
    assert instance.events("dead letter") == []
    assert len(instance.events("workers replaced")) == 1


KILLERS = {
    "exit:3": (b"worker_crashed", b"3"),
    "signal:11": (b"worker_crashed", b"SIGSEGV"),
    "memory": (b"out_of_memory", None),
}


@pytest.mark.slow
@both_deliveries
async def test_02_a_batch_that_kills_its_worker_is_dead_lettered_with_its_exit(stage: Scene) -> None:
    """All others are answered, and a restart does not meet it again."""
    settings: dict[str, Any] = {"workers": 2, "worker_memory_bytes_max": 512 * MIB, "convictions_in_a_row_max": 0}
    instance = await stage.started(faulty=True, **settings)
    await stage.produce_everywhere(lambda: [*goods(50), *map(order, KILLERS), *goods(50)])
    await stage.settled(timeout_s=60)
    assert await instance.stopped() == 0
    letters = await stage.dead_letters()
    assert {letter["dlq.reason"] for letter in letters} == {b"worker_crashed", b"out_of_memory"}
    expected = [KILLERS[killer] for killer in KILLERS] * stage.partitions
    found = [(letter["dlq.reason"], letter.get("dlq.exit")) for letter in letters]
    assert sorted(found, key=str) == sorted(expected, key=str)

    again = await stage.started(faulty=True, **settings)
    await stage.produce(goods(50, "after the restart"))
    await stage.settled()
    assert await again.stopped() == 0
    assert again.events("chunk into quarantine") == []
    assert stage.judge() == []


@both_deliveries
async def test_03_a_batch_that_never_ends_is_cut_short_and_its_core_is_free(stage: Scene) -> None:
    instance = await stage.started(faulty=True, workers=1, chunk_timeout_ms=1_000)
    (before,) = instance.workers()
    await stage.produce([*goods(20), order("hang"), *goods(20)])
    await stage.settled()
    (letter,) = await stage.dead_letters()
    assert letter["dlq.reason"] == b"timed_out"
    assert int(letter["dlq.elapsed_ms"]) >= 1_000
    assert not before.is_running()
    (after,) = instance.workers()
    assert await asyncio.to_thread(after.cpu_percent, 0.5) < 50
    assert await instance.stopped() == 0
    assert stage.judge() == []


@pytest.mark.slow
@both_deliveries
@pytest.mark.parametrize("fault", ["exit:1", "hang"])
async def test_07_a_bad_deployment_stops_the_instance_with_its_offset_held(stage: Scene, fault: str) -> None:
    """Crashes or time-outs of many batches in a row are no reason to dead-letter the whole topic."""
    instance = stage.start(faulty=True, convictions_in_a_row_max=3, chunk_timeout_ms=500)
    await stage.produce([order(f"{fault} {number}".replace(" ", " #")) for number in range(6)])
    assert await instance.ended() == 4
    (stopped,) = instance.events("stopped")
    assert stopped["level"] == "error"
    assert "bad deployment" in str(stopped["reason"])
    await stage.observer.look()
    assert stage.observer.committed.get(0, 0) == 0
    assert await stage.dead_letters() == []

    repaired = await stage.started(faulty=True, convictions_in_a_row_max=0, chunk_timeout_ms=500)
    await stage.settled()
    assert await repaired.stopped() == 0
    assert stage.judge() == []


async def test_27_a_pool_that_cannot_start_fails_before_it_joins_the_group(stage: Scene) -> None:
    """No worker is there within a tenth of a second: the first one has to load what it works with."""
    instance = stage.start(worker_start_timeout_ms=100)
    assert await instance.ended() == 4
    assert "cannot be started" in str(instance.events("stopped")[-1]["reason"])
    assert instance.events("partitions assigned") == []
    assert await asyncio.to_thread(stage.kafka.members, stage.topics.group_id) == []


@pytest.mark.slow
@pytest.mark.timeout(90)
@both_deliveries
async def test_29_memory_files_and_processes_stay_flat_while_workers_are_replaced(stage: Scene) -> None:
    """Four replacements show what each leaves behind; `make chaos` looks at memory for as long as it runs."""
    instance = await stage.started(workers=2)
    service = psutil.Process(instance.pid)

    async def replace_workers(rounds: int) -> None:
        for _ in range(rounds):
            replaced = len(instance.events("workers replaced"))
            await stage.produce_everywhere(lambda: [good(str(n), [[n] * 500]) for n in range(100)])
            instance.workers()[0].kill()
            await stage.produce_everywhere(lambda: goods(100))
            await instance.logged("workers replaced", times=replaced + 1)
            await stage.settled()

    def measured() -> tuple[int, int, int]:
        return service.memory_info().rss, service.num_fds(), len(instance.look())

    await replace_workers(2)
    memory_bytes, files, processes = measured()
    await replace_workers(4)
    memory_bytes_after, files_after, processes_after = measured()
    assert memory_bytes_after < memory_bytes + 16 * MIB
    assert files_after <= files + 3
    assert processes_after <= processes
    assert await instance.stopped() == 0
    assert stage.judge() == []
