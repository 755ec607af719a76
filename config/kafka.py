"""Settings of what an instance does with Kafka: topics, membership, fetching and publishing."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from config.connection import Name
from config.units import HOUR_MS, KIB, MIB, MINUTE_MS

Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
InstanceId = Topic  # Kafka takes the same characters for both


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

    group_instance_id: InstanceId | None = Field(
        default=None,
        description="this instance's own lasting name: it may restart within `session_timeout_ms` without a rebalance",
    )
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
        default=2 * MIB, ge=KIB, le=64 * MIB, description="share of one partition in that answer"
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
    transaction_linger_ms: int = Field(
        default=100,
        ge=0,
        le=MINUTE_MS,
        description="how long a finished chunk may wait for the next ones of its partition, if they are being processed, to"
        " share its transaction",
    )
    result_compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        default="none", description="compression of answers and dead letters"
    )
    publish_batch_bytes_max: int = Field(
        default=900 * KIB,  # topics take 1 MiB by default, with all that is around the records
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
