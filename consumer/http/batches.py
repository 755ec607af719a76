"""The request/response view: the contract's requests and answers, over HTTP, through the same pool.

The event loop looks into no batch: the body goes to a worker as it is, and the answer comes from there.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from config.settings import Settings
from consumer.failures import WorkersFailing
from consumer.http import body
from consumer.http.document import named
from consumer.http.instance import Health, Instance
from consumer.http.refusals import REFUSALS, at_fault, come_back, rejected
from domain import batch
from domain.batch import Rejection

NUMBERS_BYTES_MAX = 64 * 1024  # these are read here, and a body of this size takes a millisecond


class Numbers(BaseModel):
    """Integers to be added."""

    model_config = ConfigDict(strict=True)

    numbers: batch.Integers


class Total(BaseModel):
    """Their sum."""

    result: int


MODELS = (batch.Request, Numbers)
REQUEST = {"batchid": "id0101", "payload": [[1, 2], [3, 4]]}
ANSWER = {
    "batchid": "id0101",
    "response": [3, 7],
    "status": "complete",
    "started_at": "2026-01-31T09:30:00.123456Z",
    "completed_at": "2026-01-31T09:30:00.123460Z",
}


def routes(instance: Instance, settings: Settings) -> APIRouter:
    """The routes of the view."""
    router = APIRouter(tags=["batches"])
    calls = _Calls(instance.health, settings)
    numbers_in: dict[str, Any] = {
        "response_model": Total,
        "responses": _answers("their sum", {"result": 10}),
        "openapi_extra": _takes(Numbers, {"numbers": [1, 2, 3, 4]}),
    }

    @router.post(
        "/process_batch",
        response_model=batch.Response,
        responses=_answers("the sums, list by list", ANSWER),
        openapi_extra=_takes(batch.Request, REQUEST),
    )
    async def process_batch(request: Request) -> Response:
        """Sum the lists of one batch: a request of the contract in, its answer out."""
        async with calls.admitted():
            outcome = await instance.process_batch(await body.read(request, bytes_max=settings.http_body_bytes_max))
        return rejected(outcome) if isinstance(outcome, Rejection) else Response(outcome.answer, media_type=body.JSON)

    @router.post("/add_number", name="add_number", **numbers_in)
    @router.post("/add_numbers", **numbers_in)
    async def add_numbers(request: Request) -> Response:
        """Add some integers."""
        async with calls.admitted():
            sent = await body.read(request, bytes_max=min(NUMBERS_BYTES_MAX, settings.http_body_bytes_max))
            try:
                numbers = Numbers.model_validate_json(sent)
            except ValidationError as error:
                return at_fault(error)
            value = json.dumps({"batchid": "add_numbers", "payload": [numbers.numbers]}).encode()
            outcome = await instance.process_batch(value)
        if isinstance(outcome, Rejection):
            return rejected(outcome)
        (total,) = json.loads(outcome.answer, parse_int=str)["response"]  # its digits: an `int` may have 4,300 only
        return Response(f'{{"result":{total}}}', media_type=body.JSON)

    return router


class _Calls:
    """Requests that are being answered: so many at once, and each only so long."""

    def __init__(self, health: Health, settings: Settings) -> None:
        self._health = health
        self._timeout_s = settings.http_request_timeout_ms / 1000
        self._calls_max = settings.http_requests_max
        self._calls = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Room for one request, from its first byte to its answer; who sends slowly has no more time than others.

        Raises:
            HTTPException: There is no room, or there was not enough time, or the workers fail (503).
        """
        if self._health.readiness().get("draining"):
            raise come_back("the instance is stopping")
        if self._calls >= self._calls_max:
            raise come_back(f"{self._calls_max} batches are in flight already")
        self._calls += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError:
            raise come_back(f"no answer within {self._timeout_s:g} s") from None
        except WorkersFailing as failing:
            raise come_back(str(failing)) from failing
        finally:
            self._calls -= 1


def _takes(model: type[BaseModel], example: Mapping[str, object]) -> dict[str, Any]:
    content = {body.JSON: {"schema": named(model), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _answers(says: str, example: Mapping[str, object]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": says, "content": {body.JSON: {"example": example}}}} | REFUSALS
