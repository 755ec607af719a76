"""The HTTP port. Its libraries are optional, and are imported when a service wants it."""

import asyncio
from typing import TYPE_CHECKING, ClassVar

from config.settings import Settings
from consumer.failures import Failure
from consumer.http.instance import Instance

if TYPE_CHECKING:
    from consumer.http.server import Server


class HttpMissing(Failure):
    """The optional dependencies that bring the HTTP port are not installed."""

    exit_code: ClassVar[int] = 2


def http_port(instance: Instance, settings: Settings) -> "Server":
    """The port of *instance*, not listening yet.

    Raises:
        HttpMissing: The extra `http` is not installed.
    """
    try:
        from consumer.http.app import make_app  # noqa: PLC0415 - optional, and takes a while to import
        from consumer.http.server import Server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise HttpMissing(
            f"http_enabled needs {error.name}, which is not installed: pip install 'batchsum[http]'"
        ) from error
    stopping = asyncio.Event()
    return Server(
        make_app(instance, settings, stopping), host=settings.http_host, port=settings.http_port, stopping=stopping
    )
