"""What workers could do with nothing around them: no Kafka, no parent, no road from one process to another."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from sys import maxsize
from typing import NamedTuple

from benchmarks.profiles import PROFILES, Profile
from benchmarks.sockets import exchange
from config.settings import Settings
from consumer import memory
from consumer.chunk import Chunk, Processed
from consumer.kafka.producer import packing
from consumer.tray import SIZE, Tray
from consumer.wire.answers import Form, answer
from consumer.wire.layout import header
from consumer.wire.packing import Message, Packing, encode
from consumer.wire.records import decode
from domain.batch import Limits
from domain.summation import process_chunk

START_DELAY_S = 2.0
CHUNKS = 8
MOVING_S = 0.5
FIRST_OFFSET = 1_000_000  # somewhere in a log, so that all answers name an offset of as many digits


@dataclass(frozen=True, slots=True)
class WorkersAlone:
    """The worker's function in as many processes as the service has workers, on chunks of the service's size.

    `job_cpu_s_per_million` is for all that a worker has to do: decode records, call the function, and encode the answers.
    `sockets_cpu_s_per_million` is for having the requests come in and the answers go out, and `tray_cpu_s_per_million` for
    putting the requests where a worker can take them.
    """

    batches_per_s: float
    cpu_s_per_million: float
    job_cpu_s_per_million: float
    sockets_cpu_s_per_million: float
    tray_cpu_s_per_million: float


class Done(NamedTuple):
    """Batches that one process has done, and the seconds and processor seconds that it took."""

    batches: int
    elapsed_s: float
    cpu_s: float

    def plus(self, batches: int, elapsed_s: float, cpu_s: float) -> "Done":
        """And so much more."""
        return Done(self.batches + batches, self.elapsed_s + elapsed_s, self.cpu_s + cpu_s)


def workers_alone(profile: Profile, *, processes: int, seconds: float) -> WorkersAlone:
    """Let *processes* processes work side by side, for *seconds* each at the function and the whole job, and then move bytes.

    Function and job take turns, chunk by chunk: the job has the function in it, and must not seem cheaper because the
    machine was slower meanwhile.
    """
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        pool.submit(time.time).result()
        start = time.time() + START_DELAY_S
        running = [pool.submit(_work, profile.name, number, start, seconds) for number in range(processes)]
        function, *others = zip(*(one.result() for one in running), strict=True)
    rate = sum(done.batches / done.elapsed_s for done in function)
    return WorkersAlone(rate, *map(_cpu_s_per_million, (function, *others)))


def _work(name: str, process: int, start: float, seconds: float) -> Sequence[Done]:
    chunks = _chunks(PROFILES[name], process)
    values = [[record.value for record in decode(chunk)] for chunk in chunks]
    limits, form = Limits(), Form(reply_to_failed=True, packing=packing(Settings()))
    memory.settle()  # as in a worker
    time.sleep(max(0.0, start - time.time()))

    def call_function(number: int) -> int:
        return len(process_chunk(values[number], limits))

    def do_job(number: int) -> int:
        return answer(chunks[number], process_chunk, limits, form).records

    done = _in_turn((call_function, do_job), seconds)
    return [*done, *_moved(chunks, answer(chunks[0], process_chunk, limits, form))]


def _moved(chunks: Sequence[Chunk], processed: Processed) -> Sequence[Done]:
    """Through sockets, and onto a tray; *processed* is what came of the first chunk, and the others are of about its size."""

    def exchange_once(_number: int) -> int:
        once()
        return processed.records

    def lay(number: int) -> int:
        tray.pack(chunks[number])
        return processed.records

    answers = b"".join(encoded.data for encoded in processed.answers)
    with (
        closing(Tray.of(max(chunk.size_bytes for chunk in chunks) + SIZE.size)) as tray,
        exchange(bytes(chunks[0].batches), answers) as once,
    ):
        return _in_turn((exchange_once, lay), MOVING_S)


def _in_turn(tasks: Sequence[Callable[[int], int]], seconds: float) -> list[Done]:
    """Each of *tasks* for about *seconds*: called with the number of a chunk, it says how many batches it has done."""
    done = [Done(0, 0.0, 0.0)] * len(tasks)
    for task in tasks:
        task(0)
    ends_at = time.perf_counter() + seconds * len(tasks)
    while time.perf_counter() < ends_at:
        for number in range(CHUNKS):
            done = [one.plus(*_timed(task, number)) for one, task in zip(done, tasks, strict=True)]
    return done


def _timed(task: Callable[[int], int], number: int) -> Done:
    since, cpu_s = time.perf_counter(), time.thread_time()
    batches = task(number)
    return Done(batches, time.perf_counter() - since, time.thread_time() - cpu_s)


def _cpu_s_per_million(all_done: Sequence[Done]) -> float:
    return sum(done.cpu_s for done in all_done) / sum(done.batches for done in all_done) * 1e6


def _chunks(profile: Profile, process: int) -> list[Chunk]:
    """Chunks as a lane would cut them, full by records or by bytes; other ones for each process."""
    settings = Settings()
    chunks: list[Chunk] = []
    messages: list[Message] = []
    size_bytes, number = 0, process * 1_000_000
    while len(chunks) < CHUNKS:
        key, value = profile.batchid(number).encode(), profile.request(number)
        full = len(messages) >= settings.chunk_records_max or size_bytes + len(value) > settings.chunk_bytes_max
        if full and messages:
            chunks.append(_chunk(messages))
            messages, size_bytes = [], 0
        messages.append((key, value, [], None))
        size_bytes += len(value)
        number += 1
    return chunks


def _chunk(messages: Sequence[Message]) -> Chunk:
    (batch,) = encode(messages, Packing(maxsize, "none"))
    return Chunk(
        topic="requests",
        partition=0,
        first_offset=FIRST_OFFSET,
        next_offset=FIRST_OFFSET + len(messages),
        timestamp=batch.first_ms,
        batches=FIRST_OFFSET.to_bytes(8) + header(batch)[8:] + batch.data,
    )
