"""What the instance is doing and where in the code, for whoever asks why nothing moves."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from consumer.http.instance import Instance

NO_STORE = {"Cache-Control": "no-store"}


def routes(instance: Instance) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["operation"])

    @router.get(
        "/why",
        response_class=PlainTextResponse,
        responses={200: {"content": {"application/json": {}}, "description": "text, or JSON if that is asked for"}},
    )
    async def why(accept: Annotated[str, Header()] = "") -> Response:
        """What each lane and worker is doing now and for how long, with stacks. Nothing is stopped for it."""
        answer = await instance.why()
        if "application/json" in accept:
            return JSONResponse(asdict(answer), headers=NO_STORE)
        return PlainTextResponse("".join(f"{line}\n" for line in answer.lines()), headers=NO_STORE)

    return router
