"""Batches over HTTP that are refused: how each refusal is answered, and how it stands in the OpenAPI document."""

from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Response
from pydantic import ValidationError

from consumer.http.document import named
from consumer.http.problems import MEDIA_TYPE, Problem, problem
from domain.batch import Code, ErrorDetail, Rejection

RETRY_AFTER_S = 1

STATUS = {
    Code.EMPTY_RECORD: HTTPStatus.BAD_REQUEST,
    Code.INVALID_JSON: HTTPStatus.BAD_REQUEST,
    Code.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.RESULT_TOO_LARGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.WORKER_CRASHED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TIMED_OUT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.OUT_OF_MEMORY: HTTPStatus.UNPROCESSABLE_ENTITY,
}

REFUSALS: dict[int | str, dict[str, Any]] = {
    status.value: {
        "description": says,
        "content": {
            MEDIA_TYPE: {
                "schema": named(Problem),
                "example": {"title": status.phrase, "status": status.value} | example,
            }
        },
    }
    for status, says, example in (
        (
            HTTPStatus.BAD_REQUEST,
            "the body is no JSON",
            {"detail": "Invalid JSON: EOF while parsing an object at line 1 column 15", "code": Code.INVALID_JSON},
        ),
        (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large", {"detail": "a body may have 1048576 bytes"}),
        (
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body is not JSON by its own account",
            {"detail": "send application/json"},
        ),
        (
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "the batch is at fault, each fault by its path",
            {
                "detail": "the request has 1 fault",
                "code": Code.INVALID_REQUEST,
                "details": [{"path": "payload.0.1", "message": "must be an integer"}],
            },
        ),
        (
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too much is in flight, or the instance is stopping; come back",
            {"detail": "16 batches are in flight already"},
        ),
    )
}
REFUSALS[HTTPStatus.SERVICE_UNAVAILABLE.value]["headers"] = {
    "Retry-After": {"required": True, "description": "in so many seconds", "schema": {"type": "integer"}}
}


def rejected(rejection: Rejection) -> Response:
    """The answer to a batch that was rejected as one of the topic would be."""
    details = [ErrorDetail(path=detail.path, message=detail.message) for detail in rejection.details]
    return problem(STATUS[rejection.code], rejection.message, code=rejection.code, details=details)


def at_fault(error: ValidationError) -> Response:
    """The answer to numbers that cannot be read, or are none."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return problem(HTTPStatus.BAD_REQUEST, faults[0]["msg"], code=Code.INVALID_JSON)
    details = [ErrorDetail(path=".".join(map(str, fault["loc"])), message=fault["msg"]) for fault in faults]
    message = "the numbers are not all integers, or there are none"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, message, code=Code.INVALID_REQUEST, details=details)


def come_back(why: str) -> HTTPException:
    """The answer to one who asks when there is no room, or nobody to answer."""
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, why, headers={"Retry-After": str(RETRY_AFTER_S)})
