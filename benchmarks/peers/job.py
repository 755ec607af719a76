"""The job as every Python peer does it: strict validation by pydantic, the sums, the same answer as the service's."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

# Large enough for every profile's largest answer, and for a day's backlog to be sent in few requests.
PUBLISH_BATCH_BYTES_MAX = 256 * 1024
RECORD_BYTES_MAX = 1024 * 1024


class Request(BaseModel):
    """One batch to be summed, list by list."""

    model_config = ConfigDict(strict=True, frozen=True)

    batchid: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    payload: list[list[int]]


class Response(BaseModel):
    """The answer to one request."""

    batchid: str
    response: list[int]
    status: Literal["complete"]
    started_at: AwareDatetime
    completed_at: AwareDatetime


class Answer(NamedTuple):
    """An encoded answer, and the key it is published with."""

    key: bytes
    value: bytes


class NotARequest(ValueError):
    """The record does not hold a request; the peers have no dead letters, and stop."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer works, as the harness tells it by environment variables."""

    bootstrap_servers: str
    request_topic: str
    result_topic: str
    group_id: str
    workers: int

    @classmethod
    def from_environment(cls) -> Self:
        names = ("BOOTSTRAP_SERVERS", "REQUEST_TOPIC", "RESULT_TOPIC", "GROUP_ID")
        bootstrap_servers, requests, results, group_id = (os.environ[f"BENCHMARK_{name}"] for name in names)
        return cls(bootstrap_servers, requests, results, group_id, int(os.environ["BENCHMARK_WORKERS"]))


def respond(request: Request, started_at: datetime) -> Response:
    """The sums of a valid request."""
    sums = [sum(integers) for integers in request.payload]
    return Response.model_construct(
        batchid=request.batchid,
        response=sums,
        status="complete",
        started_at=started_at,
        completed_at=datetime.now(UTC),
    )


def answer(value: bytes) -> Answer:
    """What is published for the value of one request.

    Raises:
        NotARequest: The value is none.
    """
    started_at = datetime.now(UTC)
    try:
        request = Request.model_validate_json(value)
    except ValidationError as error:
        raise NotARequest(error.errors(include_input=False)[0]["msg"]) from None
    return Answer(request.batchid.encode(), respond(request, started_at).model_dump_json().encode())
