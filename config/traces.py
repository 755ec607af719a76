"""Settings of traces."""

import os
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

Endpoint = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(https?://[^\s/@]+(/\S*)?)?$")]


class Traces(BaseModel):
    """Traces."""

    traces_endpoint: Endpoint = Field(
        default="",
        description="where spans of traced batches are sent, OTLP over HTTP: `http://collector:4318`; unset: there are none; needs the extra `traces`",
    )

    @property
    def traced(self) -> bool:
        """Whether there are spans: somewhere to send them, and no word against it in OpenTelemetry's own variable."""
        return bool(self.traces_endpoint) and os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
