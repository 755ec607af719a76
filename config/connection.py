"""Settings of the connection to the brokers: where they are, and how the client proves who it is."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, StringConstraints

from config.units import HOUR_MS, MINUTE_MS

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Connection(BaseModel):
    """Connection to Kafka."""

    bootstrap_servers: Name = Field(
        default="localhost:9092", description="`host:port` of one or more brokers, comma-separated"
    )
    client_id: Name = Field(default="batchsum", description="what the brokers' logs and quotas call this client")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how the brokers are spoken to"
    )
    ssl_cafile: Path | None = Field(
        default=None, description="certificates that vouch for the brokers (PEM); unset: the system's"
    )
    ssl_certfile: Path | None = Field(default=None, description="this client's certificate chain (PEM)")
    ssl_keyfile: Path | None = Field(default=None, description="the private key of `ssl_certfile` (PEM)")
    ssl_key_password: SecretStr | None = Field(default=None, description="opens `ssl_keyfile` where it is encrypted")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="how this client proves who it is; `SASL_…` protocols need it"
    )
    sasl_username: Name | None = Field(default=None, description="who this client is")
    sasl_password: SecretStr | None = Field(default=None, description="and the proof of it")
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
