"""The request/response view: the contract's requests and answers, over HTTP, through the same pool.

The event loop looks into no batch: the body goes to a worker as it is, and the answer comes from there.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from config.settings import Settings
from consumer.failures import WorkersFailing
from consumer.http import body
from consumer.http.document import named
from consumer.http.instance import Health, Instance
from consumer.http.problems import MEDIA_TYPE, Problem, problem
from domain import batch
from domain.batch import Code, Rejection

RETRY_AFTER_S = 1
NUMBERS_BYTES_MAX = 64 * 1024  # these are read here, and a body of this size takes a millisecond

STATUS = {
    Code.EMPTY_RECORD: HTTPStatus.BAD_REQUEST,
    Code.INVALID_JSON: HTTPStatus.BAD_REQUEST,
    Code.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.RESULT_TOO_LARGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.WORKER_CRASHED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TIMED_OUT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.OUT_OF_MEMORY: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Numbers(BaseModel):
    """Integers to be added."""

    model_config = ConfigDict(strict=True)

    numbers: batch.Integers


class Total(BaseModel):
    """Their sum."""

    result: int


MODELS = (batch.Request, Numbers)

REFUSALS: dict[int | str, dict[str, Any]] = {
    status.value: {"description": says, "content": {MEDIA_TYPE: {"schema": named(Problem)}}}
    for status, says in (
        (HTTPStatus.BAD_REQUEST, "the body is no JSON"),
        (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large"),
        (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is not JSON by its own account"),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "the batch is at fault, each fault by its path"),
        (HTTPStatus.SERVICE_UNAVAILABLE, "too much is in flight, or the instance is stopping; come back"),
    )
}
REFUSALS[HTTPStatus.SERVICE_UNAVAILABLE]["headers"] = {
    "Retry-After": {"required": True, "description": "in so many seconds", "schema": {"type": "integer"}}
}


def routes(instance: Instance, settings: Settings) -> APIRouter:
    """The routes of the view."""
    router = APIRouter(tags=["batches"])
    calls = _Calls(instance.health, settings)
    numbers_in: dict[str, Any] = {
        "response_model": Total,
        "responses": REFUSALS,
        "openapi_extra": _takes(Numbers, {"numbers": [1, 2, 3, 4]}),
    }

    @router.post(
        "/process_batch",
        response_model=batch.Response,
        responses=REFUSALS,
        openapi_extra=_takes(batch.Request, {"batchid": "id0101", "payload": [[1, 2], [3, 4]]}),
    )
    async def process_batch(request: Request) -> Response:
        """Sum the lists of one batch: a request of the contract in, its answer out."""
        async with calls.admitted():
            outcome = await instance.process_batch(await body.read(request, bytes_max=settings.http_body_bytes_max))
        return Response(outcome.answer, media_type=body.JSON) if not isinstance(outcome, Rejection) else _told(outcome)

    @router.post("/add_number", name="add_number", **numbers_in)
    @router.post("/add_numbers", **numbers_in)
    async def add_numbers(request: Request) -> Response:
        """Add some integers."""
        async with calls.admitted():
            sent = await body.read(request, bytes_max=min(NUMBERS_BYTES_MAX, settings.http_body_bytes_max))
            try:
                numbers = Numbers.model_validate_json(sent)
            except ValidationError as error:
                return _at_fault(error)
            value = json.dumps({"batchid": "add_numbers", "payload": [numbers.numbers]}).encode()
            outcome = await instance.process_batch(value)
        if isinstance(outcome, Rejection):
            return _told(outcome)
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
            raise _come_back("the instance is stopping")
        if self._calls >= self._calls_max:
            raise _come_back(f"{self._calls_max} batches are in flight already")
        self._calls += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError:
            raise _come_back(f"no answer within {self._timeout_s:g} s") from None
        except WorkersFailing as failing:
            raise _come_back(str(failing)) from failing
        finally:
            self._calls -= 1


def _come_back(why: str) -> HTTPException:
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, why, headers={"Retry-After": str(RETRY_AFTER_S)})


def _told(rejection: Rejection) -> Response:
    details = [batch.ErrorDetail(path=detail.path, message=detail.message) for detail in rejection.details]
    return problem(STATUS[rejection.code], rejection.message, code=rejection.code, details=details)


def _at_fault(error: ValidationError) -> Response:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return problem(HTTPStatus.BAD_REQUEST, faults[0]["msg"], code=Code.INVALID_JSON)
    details = [batch.ErrorDetail(path=".".join(map(str, fault["loc"])), message=fault["msg"]) for fault in faults]
    message = "the numbers are not all integers, or there are none"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, message, code=Code.INVALID_REQUEST, details=details)


def _takes(model: type[BaseModel], example: dict[str, object]) -> dict[str, Any]:
    content = {body.JSON: {"schema": named(model), "example": example}}
    return {"requestBody": {"required": True, "content": content}}
