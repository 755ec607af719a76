"""Server-sent events: one message a second, made once for all who listen."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from consumer.http.problems import problem

RETRY_MS = 1_000  # after which a page that has lost its connection tries again
RETRY_AFTER_S = 10  # the same for one that was one too many
SEND_TIMEOUT_S = 5.0  # a listener that takes longer to read what was sent is dropped


class Events:
    """Has *make* make a message a second while somebody listens, and costs nothing while nobody does.

    Nothing is queued: who is slow goes on with the newest message. All streams end once it is *stopping*.
    """

    def __init__(self, make: Callable[[], str], *, listeners_max: int, stopping: asyncio.Event) -> None:
        self._make = make
        self._listeners_max = listeners_max
        self._stopping = stopping
        self._second = 0
        self._message = ""
        self._listeners = 0

    def stream(self) -> Response:
        """The answer to one who listens."""
        return _Stream(self)

    async def listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the listener goes, falls behind, or the server stops."""
        if self._listeners >= self._listeners_max:
            refusal = problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._listeners_max} listeners are served already",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
            await refusal(scope, receive, send)
            return

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send(message)

        self._listeners += 1
        try:
            stream = StreamingResponse(
                self._messages(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
            )
            with suppress(TimeoutError):
                await stream(scope, receive, send_in_time)
        finally:
            self._listeners -= 1

    async def _messages(self) -> AsyncGenerator[str, None]:
        yield f"retry: {RETRY_MS}\n\n"
        while not self._stopping.is_set():
            yield f"data: {self._this_second()}\n\n"
            with suppress(TimeoutError):
                async with asyncio.timeout(1 - time.monotonic() % 1):
                    await self._stopping.wait()

    def _this_second(self) -> str:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._message = second, self._make()
        return self._message


class _Stream(Response):
    def __init__(self, events: Events) -> None:
        super().__init__()
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._events.listen(scope, receive, send)
