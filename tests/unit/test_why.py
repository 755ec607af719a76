"""What an instance tells of itself, in words."""

import asyncio

from consumer.why import Why
from tests.support.instance import snapshot


async def test_lanes_and_workers_tell_at_what_they_are_and_for_how_long() -> None:
    lines = list(Why.of(snapshot(), {41: ['File "work.py", line 3 in work'], 42: []}).lines())
    assert lines[:6] == [
        "lane 3: 90 behind, done up to 10, 1 chunk in flight",
        lines[1],
        lines[2],
        '    File "work.py", line 3 in work',
        "worker 42: idle",
        "    it does not answer",
    ]
    assert lines[1].startswith("    10-19 computing for 7.0")
    assert lines[2] == "worker 41: at 3/10-19 for 7.000 s"


async def test_a_task_that_waits_tells_where_down_to_the_innermost_call() -> None:
    event = asyncio.Event()

    async def inner() -> None:
        await event.wait()

    async def outer() -> None:
        await inner()

    waiting = asyncio.create_task(outer(), name="the one that waits")
    await asyncio.sleep(0)
    (stack,) = [stack for stack in Why.of(snapshot(), {}).tasks if stack.name == "the one that waits"]
    event.set()
    await waiting

    functions = [frame.rpartition(" in ")[2] for frame in stack.frames]
    assert functions[0] == "Event.wait"
    assert [name.rpartition(".")[2] for name in functions[1:]] == ["inner", "outer"]


async def test_every_thread_tells_where_it_is() -> None:
    (main,) = [stack for stack in Why.of(snapshot(), {}).threads if stack.name == "MainThread"]
    assert any("test_every_thread_tells_where_it_is" in frame for frame in main.frames)


async def test_nothing_of_a_payload_is_told() -> None:
    assert "secret" not in "".join(Why.of(snapshot(), {}).lines())
