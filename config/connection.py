"""Settings of the connection to the brokers: where they are, and how long they may be out of reach."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from config.units import HOUR_MS, MINUTE_MS

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Connection(BaseModel):
    """Connection to Kafka."""

    bootstrap_servers: Name = Field(
        default="localhost:9092", description="`host:port` of one or more brokers, comma-separated"
    )
    client_id: Name = Field(default="batchsum", description="what the brokers' logs and quotas call this client")
    request_timeout_ms: int = Field(
        default=75_000, ge=1_000, le=HOUR_MS, description="longest wait for a broker's answer; must outlive a rebalance"
    )
    metadata_max_age_ms: int = Field(
        default=MINUTE_MS,
        ge=100,
        le=HOUR_MS,
        description="how old the picture of topics, partitions and leaders may grow",
    )
    connect_timeout_ms: int = Field(
        default=MINUTE_MS,
        ge=100,
        le=HOUR_MS,
        description="how long to try for a first connection before giving up at start",
    )
    outage_timeout_ms: int = Field(
        default=15 * MINUTE_MS,
        ge=1_000,
        le=24 * HOUR_MS,
        description="how long brokers may be unusable before the instance stops",
    )
