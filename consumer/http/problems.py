"""Problem documents (RFC 9457): how every error is answered."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from domain.batch import ErrorDetail

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """Why a request was not answered as it was meant.

    `code` is one of the contract's, where the batch itself is at fault, and `details` has the path of each fault.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str | None = None
    details: list[ErrorDetail] = []


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    code: str | None = None,
    details: Sequence[ErrorDetail] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer to a request that failed with *status*."""
    document = Problem(title=status.phrase, status=status, detail=detail, code=code, details=list(details))
    return JSONResponse(
        document.model_dump(exclude_defaults=True), status_code=status, headers=headers, media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Answer with a problem whatever *app* itself refuses, and whatever goes wrong in it."""

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong; the service's log has more")
        status = HTTPStatus(error.status_code)
        known = error.detail == status.phrase  # the framework says no more than that
        detail = (status.description or status.phrase) if known else str(error.detail)
        return problem(status, detail, headers=error.headers)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, refused)
