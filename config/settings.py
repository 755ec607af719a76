"""Every setting of an instance: its name with the unit, its default, its bounds and what it means.

`Settings` only validates what it is given, and reads nothing by itself; `config.sources.load` gathers flags, environment
and file. The groups below make one flat namespace (`settings.workers`), and are the headings of the README's tables.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from config.conflicts import ConflictsError, conflicts

KIB = 1024
MIB = 1024 * KIB
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


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


class Topics(BaseModel):
    """Topics and group."""

    request_topic: Topic = Field(default="batch-requests", description="where requests come from")
    result_topic: Topic = Field(default="batch-results", description="where answers go")
    dead_letter_topic: Topic = Field(
        default="batch-requests-dlq", description="where requests go that cannot be processed"
    )
    group_id: Name = Field(default="batchsum", description="consumer group; its instances share the partitions")


class Membership(BaseModel):
    """Group membership and commits."""

    session_timeout_ms: int = Field(
        default=45_000, ge=1_000, le=30 * MINUTE_MS, description="silence after which the group gives up an instance"
    )
    heartbeat_interval_ms: int = Field(
        default=3_000, ge=100, le=10 * MINUTE_MS, description="pause between signs of life"
    )
    rebalance_timeout_ms: int = Field(
        default=MINUTE_MS,
        ge=1_000,
        le=30 * MINUTE_MS,
        description="how long the group waits for its members at a rebalance",
    )
    max_poll_interval_ms: int = Field(
        default=5 * MINUTE_MS,
        ge=1_000,
        le=HOUR_MS,
        description="longest pause between two fetches before the group is left",
    )
    lost_offsets: Literal["earliest", "stop"] = Field(
        default="earliest",
        description="when the committed offset is no longer in the log: go on at its earliest record, or stop",
    )
    commit_interval_ms: int = Field(
        default=100, ge=1, le=MINUTE_MS, description="pause between two commits of finished offsets"
    )
    commit_timeout_ms: int = Field(default=10_000, ge=100, le=10 * MINUTE_MS, description="longest wait for a commit")


class Fetching(BaseModel):
    """Fetching."""

    fetch_wait_ms_max: int = Field(
        default=100, ge=1, le=30_000, description="how long a broker may hold a fetch with nothing to give"
    )
    fetch_bytes_max: int = Field(
        default=16 * MIB, ge=KIB, le=256 * MIB, description="size of one broker's answer to a fetch"
    )
    partition_fetch_bytes_max: int = Field(
        default=MIB, ge=KIB, le=64 * MIB, description="share of one partition in that answer"
    )


class Publishing(BaseModel):
    """Publishing."""

    delivery: Literal["at_least_once", "exactly_once"] = Field(
        default="at_least_once",
        description="exactly_once: a `read_committed` reader sees each outcome once, at the price of transactions",
    )
    transaction_timeout_ms: int = Field(
        default=MINUTE_MS,
        ge=1_000,
        le=15 * MINUTE_MS,
        description="after it the broker aborts a transaction that was left open",
    )
    result_compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        default="none", description="compression of answers and dead letters"
    )
    publish_batch_bytes_max: int = Field(
        default=256 * KIB,
        ge=KIB,
        le=900 * KIB,
        description="uncompressed size of what is sent to one partition at once",
    )
    publish_timeout_ms: int = Field(
        default=MINUTE_MS,
        ge=100,
        le=HOUR_MS,
        description="longest wait for acknowledgement before the producer is replaced",
    )
    result_bytes_max: int = Field(
        default=1_000_000, ge=KIB, le=64 * MIB, description="largest answer; more is rejected as `result_too_large`"
    )
    rejection_details_max: int = Field(default=20, ge=1, le=1_000, description="faults listed for one rejected batch")
    reply_to_failed: bool = Field(
        default=True,
        description="answer failed batches too, with `status: failed`; the dead letter is written either way",
    )


class Work(BaseModel):
    """Work."""

    workers: int | None = Field(
        default=None, ge=1, le=1_024, description="worker processes; unset: the CPUs this process may use"
    )
    worker_start_timeout_ms: int = Field(
        default=30_000, ge=100, le=10 * MINUTE_MS, description="how long a worker may take to start"
    )
    worker_memory_bytes_max: int = Field(
        default=0,
        ge=0,
        le=1024**4,
        description="address space of one worker; a batch that needs more is `out_of_memory`; 0: no limit",
    )
    chunk_records_max: int = Field(
        default=1_000, ge=1, le=100_000, description="records that share one call to a worker"
    )
    chunk_bytes_max: int = Field(
        default=MIB, ge=1, le=64 * MIB, description="bytes in one call; a larger record goes alone"
    )
    chunk_timeout_ms: int = Field(
        default=30_000, ge=100, le=HOUR_MS, description="longest time a worker may take for one chunk"
    )
    lane_chunks_max: int = Field(default=4, ge=1, le=64, description="chunks of one partition in flight at once")
    lone_attempts_max: int = Field(
        default=2, ge=1, le=100, description="attempts a batch has, alone, before it is held to kill or hang its worker"
    )
    convictions_in_a_row_max: int = Field(
        default=25,
        ge=0,
        le=1_000_000,
        description="batches in a row that kill or hang before the instance stops; 0: no limit",
    )


class Lifetime(BaseModel):
    """Lifetime."""

    drain_timeout_ms: int = Field(
        default=25_000,
        ge=0,
        le=18 * MINUTE_MS,
        description="time to finish what is in flight, on a stop and on a rebalance",
    )
    stall_timeout_ms: int = Field(
        default=2 * MINUTE_MS,
        ge=1_000,
        le=HOUR_MS,
        description="how long the event loop may stand still before the process ends",
    )
    progress_timeout_ms: int = Field(
        default=5 * MINUTE_MS,
        ge=1_000,
        le=24 * HOUR_MS,
        description="how long work may wait without progress before the instance stops",
    )
    heartbeat_file: Path | None = Field(default=None, description="touched every second while the instance is healthy")


class Logs(BaseModel):
    """Logs."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="JSON lines, or readable ones; auto: readable on a terminal"
    )
    log_interval_ms: int = Field(default=10_000, ge=100, le=HOUR_MS, description="pause between two summaries")


GROUPS: tuple[type[BaseModel], ...] = (
    Connection,
    Topics,
    Membership,
    Fetching,
    Publishing,
    Work,
    Lifetime,
    Logs,
)


class Settings(Logs, Lifetime, Work, Publishing, Fetching, Membership, Topics, Connection):
    """The settings of one instance, validated, consistent with one another and unchangeable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="after")
    def _must_agree(self) -> Self:
        if found := conflicts(self):
            raise ConflictsError(found)
        return self
