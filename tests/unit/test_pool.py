"""What the pool promises: another process does the work, and a batch that ruins its worker costs only itself."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from consumer.chunk import Processed
from consumer.desk import CALLS_MAX, Desk
from consumer.failures import WorkersFailing
from consumer.pool import Pool
from consumer.wire.records import messages
from consumer.work import PoolLimits
from domain.batch import Code
from tests.support.faulty_work import faulty_work
from tests.support.records import FORM, chunk_of, request
from tests.support.waiting import wait_until

FORK_SERVER_FILES = 4  # of which the first start has need, and all others

ROOT = Path(__file__).parents[2]


def limits(
    workers: int = 2,
    *,
    chunk_timeout_s: float = 20,
    start_timeout_s: float = 30,
    memory_bytes_max: int = 0,
    lone_attempts_max: int = 2,
    convictions_in_a_row_max: int = 0,
    tray_bytes: int = 1 << 20,
) -> PoolLimits:
    return PoolLimits(
        workers=workers,
        chunk_timeout_s=chunk_timeout_s,
        start_timeout_s=start_timeout_s,
        memory_bytes_max=memory_bytes_max,
        lone_attempts_max=lone_attempts_max,
        convictions_in_a_row_max=convictions_in_a_row_max,
        tray_bytes=tray_bytes,
    )


@asynccontextmanager
async def running_pool(pool_limits: PoolLimits | None = None) -> AsyncIterator[Pool]:
    pool = Pool(faulty_work(), pool_limits or limits(), FORM)
    try:
        await pool.start()
        yield pool
    finally:
        await pool.stop()


def batchids(processed: Processed) -> list[str]:
    """Of the batches that have their sums."""
    answers = [json.loads(value or b"") for batch in processed.answers for _, value, _, _ in messages(batch)]
    return [answer["batchid"] for answer in answers if answer["status"] == "complete"]


async def test_answers_come_in_the_order_of_the_records() -> None:
    async with running_pool() as pool:
        processed = await pool.process(chunk_of([request("a"), b"not json", request("b")], first_offset=7))

    assert processed.records == 3
    assert [*processed.rejections] == [8]
    assert batchids(processed) == ["a", "b"]


async def test_the_work_is_done_in_other_processes() -> None:
    async with running_pool(limits(workers=2)) as pool:
        assert len(set(pool.pids)) == 2
        assert os.getpid() not in pool.pids


async def test_after_a_worker_is_killed_every_chunk_in_flight_is_answered() -> None:
    async with running_pool() as pool:
        in_flight = [
            asyncio.ensure_future(pool.process(chunk_of([request("sleep:0.5"), request(f"chunk {n}")])))
            for n in range(4)
        ]
        await wait_until(lambda: all(psutil.Process(pid).status() == psutil.STATUS_SLEEPING for pid in pool.pids))
        os.kill(pool.pids[0], signal.SIGKILL)
        processed = await asyncio.gather(*in_flight)

    assert [batchids(chunk) for chunk in processed] == [["sleep:0.5", f"chunk {n}"] for n in range(4)]
    assert pool.rebuilds == 1
    assert pool.quarantine.convictions == 0


@pytest.mark.parametrize(
    ("order", "code", "exit_status"),
    [
        ("exit:3", Code.WORKER_CRASHED, "3"),
        ("exit:0", Code.WORKER_CRASHED, "0"),
        (f"signal:{signal.SIGSEGV.value}", Code.WORKER_CRASHED, "SIGSEGV"),
        ("raise", Code.WORKER_CRASHED, None),
        ("leave", Code.WORKER_CRASHED, None),
    ],
)
async def test_a_batch_that_ruins_its_worker_costs_only_itself(order: str, code: Code, exit_status: str | None) -> None:
    async with running_pool() as pool:
        processed = await pool.process(chunk_of([request("before"), request(order), request("after")]))

    assert batchids(processed) == ["before", "after"]
    guilty = processed.rejections[1]
    assert (guilty.code, guilty.exit, guilty.attempts, guilty.batchid) == (code, exit_status, 2, order)
    assert guilty.answer is not None


async def test_integers_of_batches_that_were_run_alone_are_counted_too() -> None:
    async with running_pool() as pool:
        processed = await pool.process(chunk_of([request("before"), request("exit:1"), request("after", [[1]])]))

    assert processed.integers == 5


async def test_a_batch_that_never_ends_is_given_up_and_its_core_freed() -> None:
    async with running_pool(limits(chunk_timeout_s=0.5)) as pool:
        processed = await pool.process(chunk_of([request("before"), request("hang"), request("after")]))
        still_running = [
            process for process in psutil.Process().children(recursive=True) if process.cpu_percent(0.1) > 50
        ]

    assert batchids(processed) == ["before", "after"]
    assert processed.rejections[1].code is Code.TIMED_OUT
    assert processed.rejections[1].attempts == 1
    assert still_running == []


async def test_a_batch_that_eats_memory_is_told_so() -> None:
    async with running_pool(limits(memory_bytes_max=1 << 29)) as pool:
        processed = await pool.process(chunk_of([request("before"), request("memory"), request("after")]))

    assert batchids(processed) == ["before", "after"]
    assert processed.rejections[1].code is Code.OUT_OF_MEMORY


async def test_chunks_of_others_go_on_while_one_is_in_quarantine() -> None:
    async with running_pool(limits(chunk_timeout_s=3)) as pool:
        hanging = asyncio.ensure_future(pool.process(chunk_of([request("exit:1"), request("hang")])))
        await wait_until(lambda: pool.rebuilds == 1)
        processed = await pool.process(chunk_of([request("innocent")]))

        assert batchids(processed) == ["innocent"]
        assert not hanging.done()
        assert [rejection.code for rejection in (await hanging).rejections.values()] == [
            Code.WORKER_CRASHED,
            Code.TIMED_OUT,
        ]


async def test_crashes_in_a_row_are_a_bad_deployment_and_convict_nobody() -> None:
    async with running_pool(limits(convictions_in_a_row_max=3, lone_attempts_max=1)) as pool:
        with pytest.raises(WorkersFailing, match="3 batches in a row"):
            await pool.process(chunk_of([request("exit:1"), request("exit:1"), request("exit:1")]))


async def test_a_good_batch_in_between_speaks_for_the_deployment() -> None:
    async with running_pool(limits(convictions_in_a_row_max=2, lone_attempts_max=1)) as pool:
        processed = await pool.process(chunk_of([request("exit:1"), request("good"), request("exit:1")]))

    assert batchids(processed) == ["good"]


async def test_a_pool_that_cannot_start_says_so() -> None:
    with pytest.raises(WorkersFailing, match="cannot be started"):
        async with running_pool(limits(start_timeout_s=0)):
            pass


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no such policy")
async def test_workers_take_the_processor_from_nobody() -> None:
    async with running_pool() as pool:
        assert {os.sched_getscheduler(pid) for pid in pool.pids} == {os.SCHED_BATCH}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


async def test_a_signal_to_the_process_group_leaves_the_workers_alone() -> None:
    async with running_pool() as pool:
        for pid in pool.pids:
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        processed = await pool.process(chunk_of([request("still here")]))

    assert batchids(processed) == ["still here"]
    assert pool.rebuilds == 0


PARENT = """
    import asyncio, sys
    from consumer.pool import Pool
    from tests.unit.test_pool import faulty_work, limits
    from tests.support.records import FORM, chunk_of, request

    async def main():
        pool = Pool(faulty_work(), limits(), FORM)
        await pool.start()
        busy = asyncio.ensure_future(pool.process(chunk_of([request("{order}")])))
        await asyncio.sleep(0.3)
        print(*pool.pids, flush=True)
        await busy

    if __name__ == "__main__":
        asyncio.run(main())
"""


@pytest.mark.parametrize("order", ["sleep:60", "hang"])
async def test_no_worker_outlives_its_parent_even_after_sigkill(order: str, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT.format(order=order)))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        everybody = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
        assert pids
        assert set(pids) <= set(everybody)
        parent.kill()

    await wait_until(lambda: not any(map(alive, everybody)))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_worker_that_hangs_tells_at_what_it_is_and_where_in_its_code() -> None:
    async with running_pool(limits(workers=2)) as pool:
        chunk = chunk_of([request("hang")], partition=3, first_offset=70)
        hanging = asyncio.create_task(pool.process(chunk))
        await wait_until(lambda: any(state.place for state in pool.states))
        stacks = await pool.stacks()
        (at_work,) = [state for state in pool.states if state.place]
        hanging.cancel()

    assert at_work.place == chunk.place
    assert at_work.pid in stacks
    assert stacks[at_work.pid][0].endswith("in _misbehave")
    assert not any("misbehave" in line for pid, stack in stacks.items() if pid != at_work.pid for line in stack)


async def test_a_worker_goes_on_when_it_has_told_where_it_is() -> None:
    async with running_pool(limits(workers=1)) as pool:
        working = asyncio.create_task(pool.process(chunk_of([request("sleep:0.3")])))
        await wait_until(lambda: any(state.place for state in pool.states))
        for _ in range(3):
            assert all((await pool.stacks()).values())

        assert batchids(await working) == ["sleep:0.3"]
        assert pool.rebuilds == 0


async def test_a_worker_that_is_stopped_tells_nothing_and_keeps_nobody_waiting() -> None:
    async with running_pool(limits(workers=1)) as pool:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        assert await pool.stacks() == {pid: []}


async def test_a_chunk_knows_when_a_worker_began_and_ended_it() -> None:
    async with running_pool(limits(workers=1)) as pool:
        good, bad = chunk_of([request("sleep:0.05")]), chunk_of([request("signal:9"), request("b")])
        await pool.process(good)
        await pool.process(bad)

    for chunk in (good, bad):
        assert chunk.times.began is not None
        assert chunk.times.ended is not None
        assert chunk.fetched_at <= chunk.times.began < chunk.times.ended
    assert good.times.ended is not None
    assert good.times.began is not None
    assert good.times.ended - good.times.began >= 0.05


@pytest.mark.parametrize("tray_bytes", [1, 200, 1 << 20])
async def test_what_does_not_fit_on_a_tray_arrives_as_well(tray_bytes: int) -> None:
    async with running_pool(limits(workers=1, tray_bytes=tray_bytes)) as pool:
        chunks = [chunk_of([request(f"{n}", [[n] * 20]) for n in range(count)]) for count in (1, 300, 2, 100)]
        processed = await asyncio.gather(*map(pool.process, chunks))

    assert [len(batchids(answered)) for answered in processed] == [1, 300, 2, 100]


async def test_the_answer_to_a_call_that_was_given_up_goes_to_nobody_else() -> None:
    async with running_pool(limits(workers=1)) as pool:
        given_up = asyncio.create_task(pool.process(chunk_of([request("sleep:0.3")])))
        await wait_until(lambda: any(state.place for state in pool.states))
        given_up.cancel()
        later = await asyncio.gather(*(pool.process(chunk_of([request(f"later {n}")])) for n in range(5)))

    assert [batchids(processed) for processed in later] == [[f"later {n}"] for n in range(5)]
    assert pool.rebuilds == 0


async def test_a_worker_that_hangs_over_what_nobody_waits_for_is_replaced() -> None:
    async with running_pool(limits(workers=2, chunk_timeout_s=2)) as pool:
        given_up = asyncio.create_task(pool.process(chunk_of([request("hang")])))
        await wait_until(lambda: any(state.place for state in pool.states))
        hanging = {state.pid for state in pool.states if state.place}
        given_up.cancel()
        await wait_until(lambda: len(pool.pids) == 2 and not hanging & {*pool.pids})

        assert batchids(await pool.process(chunk_of([request("innocent")]))) == ["innocent"]
        assert pool.rebuilds == 1
        assert pool.quarantine.convictions == 0


async def test_chunks_that_no_worker_had_yet_when_one_died_are_not_suspected() -> None:
    with capture_logs() as logs:
        async with running_pool(limits(workers=1)) as pool:
            chunks = [chunk_of([request(name)]) for name in ("exit:1", "accomplice", "3", "4", "5")]
            processed = await asyncio.gather(*map(pool.process, chunks))

    assert [batchids(chunk) for chunk in processed] == [[], ["accomplice"], ["3"], ["4"], ["5"]]
    assert [line["event"] for line in logs].count("chunk into quarantine") == CALLS_MAX


async def test_a_worker_that_has_room_is_asked_before_anybody_waits_for_its_answer() -> None:
    async with running_pool(limits(workers=1)) as pool:
        answer = pool.process(chunk_of([request("sleep:2")]))
        await wait_until(lambda: any(state.place for state in pool.states))
        assert batchids(await answer) == ["sleep:2"]


async def test_where_workers_cannot_be_replaced_all_who_wait_for_one_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_desk: Desk) -> None:
        raise OSError("no more processes")

    async with running_pool(limits(workers=1)) as pool:
        monkeypatch.setattr(Desk, "start", fail)
        chunks = [chunk_of([request(name)]) for name in ("exit:1", "2", "3", "4")]
        told = await asyncio.gather(*map(pool.process, chunks), return_exceptions=True)
        assert {type(failure) for failure in told} == {WorkersFailing}
        with pytest.raises(WorkersFailing, match="no more processes"):
            await pool.process(chunk_of([request("later")]))
        assert "no more processes" in str(pool.trouble)


async def test_a_start_that_is_given_up_leaves_no_process_and_no_file_behind() -> None:
    before = psutil.Process().num_fds()
    pool = Pool(faulty_work(), limits(), FORM)
    starting = asyncio.create_task(pool.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert not [child for child in psutil.Process().children(recursive=True) if child.ppid() != os.getpid()]
    assert psutil.Process().num_fds() <= before + FORK_SERVER_FILES
