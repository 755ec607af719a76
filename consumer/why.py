"""Why an instance does what it does, or does nothing: its lanes, workers, tasks and threads, each with its stack."""

import asyncio
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, Self

from consumer.snapshot import LaneState, Snapshot, WorkerAt

FRAMES_MAX = 40
TASKS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where something is in its code, the innermost call first."""

    name: str
    frames: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What an instance is doing at one moment. It has names, offsets, times and places in the code, and no values."""

    lanes: Sequence[LaneState]
    workers: Sequence[WorkerAt]
    worker_stacks: Mapping[int, Sequence[str]]
    tasks: Sequence[Stack]
    threads: Sequence[Stack]

    @classmethod
    def of(cls, snapshot: Snapshot, worker_stacks: Mapping[int, Sequence[str]]) -> Self:
        """The instance of *snapshot*, which is this process. To be called in its event loop."""
        return cls(
            lanes=snapshot.lanes,
            workers=snapshot.workers,
            worker_stacks=worker_stacks,
            tasks=list(_tasks()),
            threads=list(_threads()),
        )

    def lines(self) -> Iterator[str]:
        """The same for people to read."""
        for lane in self.lanes:
            yield (
                f"lane {lane.partition}: {lane.lag} behind, done up to {lane.done_offset}, "
                f"{len(lane.chunks) or 'no'} {'chunk' if len(lane.chunks) == 1 else 'chunks'} in flight"
            )
            for chunk in lane.chunks:
                yield f"    {chunk.first_offset}-{chunk.next_offset - 1} {chunk.step} for {chunk.seconds:.3f} s"
        for worker in self.workers:
            where = "quarantine" if worker.quarantined else "worker"
            yield f"{where} {worker.pid}: " + (f"at {worker.at} for {worker.seconds:.3f} s" if worker.at else "idle")
            yield from _indented(self.worker_stacks.get(worker.pid) or ["it does not answer"])
        for kind, stacks in (("task", self.tasks), ("thread", self.threads)):
            for stack in stacks:
                yield f"{kind} {stack.name}"
                yield from _indented(stack.frames)


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _tasks() -> Iterator[Stack]:
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name())[:TASKS_MAX]:
        yield Stack(name=task.get_name(), frames=[*_awaited(task.get_coro())][::-1][:FRAMES_MAX])


def _awaited(coroutine: Any) -> Iterator[str]:
    """The coroutine's frame, and that of each one it waits for in turn. A task's own `get_stack` tells but the first."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None:
            yield _place(frame.f_code, frame.f_lineno)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)


def _threads() -> Iterator[Stack]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, top in sys._current_frames().items():  # noqa: SLF001 - documented, in spite of its name
        yield Stack(name=names.get(ident, str(ident)), frames=[*_called(top)][:FRAMES_MAX])


def _called(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield _place(frame.f_code, frame.f_lineno)
        frame = frame.f_back


def _place(code: CodeType, line: int | None) -> str:
    return f'File "{code.co_filename}", line {line} in {code.co_qualname}'
