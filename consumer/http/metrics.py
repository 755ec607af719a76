"""Metrics, in the format that is asked for; and the count of what is asked."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumer.http.gauges import Exposition
from consumer.http.instance import Instance
from consumer.metrics import HTTP_REQUESTS

MEDIA_TYPES = ("text/plain", "application/openmetrics-text")


def routes(instance: Instance) -> APIRouter:
    """The route of the metrics."""
    router = APIRouter(tags=["metrics"])
    exposition = Exposition(instance)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={
            200: {
                "content": {media_type: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES},
                "description": "in Prometheus' text format, or as OpenMetrics if that is asked for",
            }
        },
    )
    async def metrics(request: Request) -> Response:
        """Everything that is counted, timed and measured: docs/metrics.md says what it means."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(exposition), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return router


class CountRequests:
    """Counts requests by route and status. A path that is no route is one label, whatever strangers ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it when its answer begins."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                HTTP_REQUESTS.labels(route, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, counted)
