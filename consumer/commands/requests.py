"""The requests of the command line: lines of a file, or generated ones."""

import asyncio
import json
import os
import random
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import Future

from consumer.kafka.caller import Request

READ_BYTES_MAX = 1024 * 1024
INTEGER_MAX = 10**6


async def from_lines(descriptor: int) -> AsyncGenerator[Request, None]:
    """Yield a request for each line of an open file, bit for bit. Blank lines are skipped.

    The key is the batchid, where one can be read: results then keep the order of their batchid's requests.
    """
    rest = b""
    while data := await _read(descriptor):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                yield Request(line, _key(line))
    if rest.strip():
        yield Request(rest, _key(rest))


def generated(*, batches: int, lists: int, integers: int, seed: int) -> Iterator[tuple[str, list[list[int]]]]:
    """Yield the batchids and payloads of `batches` valid requests, the same ones for the same `seed`."""
    chance = random.Random(seed)
    for number in range(1, batches + 1):
        payload = [[chance.randint(-INTEGER_MAX, INTEGER_MAX) for _ in range(integers)] for _ in range(lists)]
        yield f"generated-{seed}-{number:07}", payload


def encode(batchid: str, payload: list[list[int]]) -> Request:
    """Return the request of one batch."""
    value = json.dumps({"batchid": batchid, "payload": payload}, separators=(",", ":")).encode()
    return Request(value, batchid.encode())


async def from_generator(*, batches: int, lists: int, integers: int, seed: int) -> AsyncIterator[Request]:
    """Yield `batches` valid requests that are made up, the same ones for the same `seed`."""
    for batchid, payload in generated(batches=batches, lists=lists, integers=integers, seed=seed):
        yield encode(batchid, payload)


async def _read(descriptor: int) -> bytes:
    """Read what is there, at most `READ_BYTES_MAX`; nothing at the end.

    In a thread of its own, as a terminal or pipe may have nothing to say for ever. It is a daemon, and reads without a
    buffer that has a lock: the process must be able to end meanwhile.
    """
    data: Future[bytes] = Future()

    def read() -> None:
        data.set_running_or_notify_cancel()
        try:
            data.set_result(os.read(descriptor, READ_BYTES_MAX))
        except OSError as error:
            data.set_exception(error)

    threading.Thread(target=read, daemon=True).start()
    return await asyncio.wrap_future(data)


def batchid_in(value: bytes) -> str | None:
    """Return the batchid of a request, however wrong the rest of it is."""
    try:
        request = json.loads(value, parse_int=len)  # a name is wanted here; what integers are worth does not matter
    except (ValueError, RecursionError):
        return None
    batchid = request.get("batchid") if isinstance(request, dict) else None
    return batchid if isinstance(batchid, str) and batchid else None


def _key(line: bytes) -> bytes | None:
    batchid = batchid_in(line)
    return None if batchid is None else batchid.encode("utf-8", "surrogatepass")
