"""Probes, as Kubernetes asks them: 200 or 503, and each check by its name."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from consumer.health import Checks
from consumer.http.instance import Instance

OK = "ok"


class Health(BaseModel):
    """What was looked at, and what was found: `ok`, or the trouble in words."""

    status: Literal["ok", "trouble"]
    checks: dict[str, str]


def routes(instance: Instance) -> APIRouter:
    """The routes of both probes."""
    router = APIRouter(tags=["probes"])
    answers: dict[int | str, dict[str, Any]] = {
        HTTPStatus.OK: {"description": "every check is ok"},
        HTTPStatus.SERVICE_UNAVAILABLE: {"model": Health, "description": "at least one check failed"},
    }

    @router.get("/livez", responses=answers)
    async def livez(response: Response) -> Health:
        """Whether to leave it running: its event loop turns, and its background tasks live."""
        return _answer(instance.health.liveness, response)

    @router.get("/readyz", responses=answers)
    async def readyz(response: Response) -> Health:
        """Whether it gets on with its work: in the group, lanes open, pool answering, no outage, not draining."""
        return _answer(instance.health.readiness, response)

    return router


def _answer(look: Callable[[], Checks], response: Response) -> Health:
    checks = look()
    healthy = not any(checks.values())
    response.status_code = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
    return Health(
        status="ok" if healthy else "trouble", checks={name: trouble or OK for name, trouble in checks.items()}
    )
