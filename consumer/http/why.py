"""What the instance is doing and where in the code, for whoever asks why nothing moves."""

from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from consumer.http.instance import Instance
from consumer.why import Why

NO_STORE = {"Cache-Control": "no-store"}


def routes(instance: Instance) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["operation"])

    @router.get(
        "/why",
        response_model=Why,
        responses={
            200: {
                "content": {PlainTextResponse.media_type: {"schema": {"type": "string"}}},
                "description": "text, or JSON if that is asked for",
            }
        },
    )
    async def why(request: Request) -> Response:
        """What each lane and worker is doing now and for how long, with stacks. Nothing is stopped for it."""
        answer = await instance.why()
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(asdict(answer), headers=NO_STORE)
        return PlainTextResponse("".join(f"{line}\n" for line in answer.lines()), headers=NO_STORE)

    return router
