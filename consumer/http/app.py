"""The application: which routes there are, and what holds for all of them."""

from importlib.metadata import version

from fastapi import FastAPI

from config.settings import Settings
from consumer.http import probes, problems, why
from consumer.http.instance import Instance


def make_app(instance: Instance, settings: Settings) -> FastAPI:  # noqa: ARG001
    """The application in front of *instance*, with the views that *settings* want."""
    app = FastAPI(
        title="batchsum",
        version=version("batchsum"),
        summary="Sums batches of integer lists, in a pool of processes",
        docs_url=None,  # they would load their assets from another host
        redoc_url=None,
    )
    app.include_router(probes.routes(instance))
    app.include_router(why.routes(instance))
    problems.install(app)
    return app
