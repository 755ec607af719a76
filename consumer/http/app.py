"""The application: which routes there are, and what holds for all of them."""

import asyncio
from importlib.metadata import version

from fastapi import FastAPI

from config.settings import Settings
from consumer.http import batches, live, metrics, probes, problems, why
from consumer.http.document import Application
from consumer.http.instance import Instance


def make_app(instance: Instance, settings: Settings, stopping: asyncio.Event) -> FastAPI:
    """The application in front of *instance*, with the views that *settings* want; answers without an end do end when it is *stopping*."""
    app = Application(
        models=(*batches.MODELS, problems.Problem),
        title="batchsum",
        version=version("batchsum"),
        summary="Sums batches of integer lists, in a pool of processes",
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,  # they would load their assets from another host
        redoc_url=None,
    )
    if settings.http_batches_enabled:
        app.include_router(batches.routes(instance, settings))
    app.include_router(probes.routes(instance))
    app.include_router(metrics.routes(instance))
    app.include_router(why.routes(instance))
    if settings.http_page_enabled:
        app.include_router(live.routes(instance, settings, stopping))
    problems.install(app)
    app.add_middleware(metrics.CountRequests)
    return app
