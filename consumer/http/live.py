"""The live page: its files, what it shows, and what keeps it up to date; and the one that documents the port."""

import asyncio
import json
from dataclasses import asdict
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from config.settings import Settings
from config.sources import shown
from consumer.http.events import Events
from consumer.http.instance import Instance
from consumer.recent import Second

MEDIA_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "no-cache",
    # Nothing but what this port serves, and nothing in the page itself that could have been written into it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes(instance: Instance, settings: Settings, stopping: asyncio.Event) -> APIRouter:
    """The routes of both pages. They are no interface, so the OpenAPI document does not have them."""
    router = APIRouter(include_in_schema=False)
    page = {file.name: _file(file.name, file.read_bytes()) for file in (files(__package__) / "page").iterdir()}
    events = Events(lambda: json.dumps(now(instance)), listeners_max=settings.http_listeners_max, stopping=stopping)

    @router.get("/")
    async def index() -> Response:
        return page["index.html"]

    @router.get("/docs")
    async def docs() -> Response:
        return page["docs.html"]

    @router.get("/page/{name}")
    async def asset(name: str) -> Response:
        if name not in page:
            raise HTTPException(404)
        return page[name]

    @router.get("/state")
    async def state() -> Response:
        everything = now(instance) | {
            "history": history(instance.recent.seconds()),
            "settings": _plain(settings),
            "form": settings.http_batches_enabled,
        }
        return JSONResponse(everything, headers=HEADERS | {"Cache-Control": "no-store"})

    @router.get("/events")
    async def stream() -> Response:
        return events.stream()

    return router


def now(instance: Instance) -> dict[str, Any]:
    """What changes from second to second."""
    snapshot = asdict(instance.snapshot())
    snapshot["last_second"] = snapshot["last_second"]._asdict()
    for entries in ("results", "dead_letters"):
        snapshot[entries] = [entry._asdict() for entry in snapshot[entries]]
    troubles = [trouble for trouble in instance.health.readiness().values() if trouble]
    return {"version": version("batchsum"), "troubles": troubles} | snapshot


def history(seconds: list[Second]) -> dict[str, list[Any]]:
    """The last minutes as a column for each figure, which is a third of the bytes."""
    return {name: [getattr(second, name) for second in seconds] for name in Second._fields}


def _plain(settings: Settings) -> dict[str, str]:
    return {
        name: "" if value is None else str(shown(value)) for name, value in settings if name in Settings.model_fields
    }


def _file(name: str, content: bytes) -> Response:
    return Response(content, media_type=MEDIA_TYPES[name.rpartition(".")[-1]], headers=HEADERS)
