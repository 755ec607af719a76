"""The watchdog: it touches the heartbeat file of a healthy instance, and ends one that cannot go on."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumer import watchdog
from consumer.failures import Stalled
from consumer.watchdog import Watchdog
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def _quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "INTERVAL_S", 0.01)


class Instance:
    """An instance that fares as the test wants."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.failure: Exception | None = None
        self.checks = 0

    def check(self) -> None:
        self.checks += 1
        if self.failure is not None:
            raise self.failure

    def troubles(self) -> Iterator[str]:
        if self.trouble is not None:
            yield self.trouble

    def watchdog(self, heartbeat_file: Path | None = None) -> Watchdog:
        return Watchdog(check=self.check, troubles=self.troubles, stall_timeout_s=60, heartbeat_file=heartbeat_file)


@asynccontextmanager
async def running(dog: Watchdog) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(dog.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_failed_check_ends_the_instance() -> None:
    instance = Instance()
    instance.failure = Stalled("the fetcher is gone")
    async with running(instance.watchdog()) as task:
        with pytest.raises(Stalled, match="the fetcher is gone"):
            await asyncio.wait_for(task, 5)


async def test_the_heartbeat_file_is_touched_while_the_instance_is_healthy(tmp_path: Path) -> None:
    instance, heartbeat = Instance(), tmp_path / "heartbeat"
    async with running(instance.watchdog(heartbeat)):
        await wait_until(heartbeat.exists)
        instance.trouble = "not in the group"
        checks = instance.checks
        await wait_until(lambda: instance.checks > checks + 2)
        heartbeat.unlink()
        checks = instance.checks
        await wait_until(lambda: instance.checks > checks + 2)
        assert not heartbeat.exists()

        instance.trouble = None
        await wait_until(heartbeat.exists)


async def test_a_heartbeat_file_that_cannot_be_touched_is_no_silent_matter(tmp_path: Path) -> None:
    async with running(Instance().watchdog(tmp_path / "missing" / "heartbeat")) as task:
        with pytest.raises(Stalled, match="heartbeat file"):
            await asyncio.wait_for(task, 5)


async def test_health_is_logged_when_it_changes_and_only_then() -> None:
    instance = Instance()
    with capture_logs() as logs:
        async with running(instance.watchdog()):
            await wait_until(lambda: instance.checks > 2)
            instance.trouble = "not in the group"
            await wait_until(lambda: instance.checks > 5)
            instance.trouble = None
            await wait_until(lambda: len(logs) > 1)

    assert [entry["event"] for entry in logs] == ["not healthy", "healthy"]
    assert logs[0]["troubles"] == ["not in the group"]


async def test_a_blocked_event_loop_is_counted() -> None:
    dog = Instance().watchdog()
    with capture_logs() as logs:
        async with running(dog):
            await asyncio.sleep(0)
            subprocess.run(["sleep", "0.7"], check=True)  # noqa: ASYNC221 — blocking the loop is the point
            await wait_until(lambda: dog.stalls)

    assert logs[0]["event"] == "event loop stood still"


def test_an_event_loop_that_never_comes_back_ends_the_process() -> None:
    script = """
        import asyncio, time
        from consumer.watchdog import Watchdog

        async def main():
            dog = Watchdog(check=lambda: None, troubles=lambda: iter(()), stall_timeout_s=1, heartbeat_file=None)
            asyncio.create_task(dog.run())
            await asyncio.sleep(0)
            time.sleep(60)

        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=30, check=False
    )

    assert ended.returncode == 1
    assert "time.sleep(60)" in ended.stderr or "Timeout" in ended.stderr
