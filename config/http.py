"""Settings of the HTTP port."""

from pydantic import BaseModel, Field

from config.connection import Name
from config.units import HOUR_MS, MIB


class Http(BaseModel):
    """HTTP port."""

    http_enabled: bool = Field(
        default=False, description="serve probes, metrics and the request/response view; needs the extra `http`"
    )
    http_host: Name = Field(default="127.0.0.1", description="the address to listen on; `0.0.0.0` is all of them")
    http_port: int = Field(default=8080, ge=0, le=65_535, description="the port to listen on; 0: any that is free")
    http_batches_enabled: bool = Field(
        default=True, description="answer batches over HTTP, too; `false` leaves probes and metrics"
    )
    http_page_enabled: bool = Field(
        default=True,
        description="show what the instance is doing, as a live page on `/`, and what can be asked, on `/docs`",
    )
    http_listeners_max: int = Field(
        default=16,
        ge=1,
        le=1_000,
        description="live pages that are kept up to date at once; more are told to come back",
    )
    http_body_bytes_max: int = Field(default=MIB, ge=1, le=64 * MIB, description="largest body of a request")
    http_requests_max: int = Field(
        default=16, ge=1, le=10_000, description="batches over HTTP in flight at once; more are told to come back"
    )
    http_request_timeout_ms: int = Field(
        default=30_000,
        ge=100,
        le=HOUR_MS,
        description="longest time for one request, from its first byte to its answer",
    )
