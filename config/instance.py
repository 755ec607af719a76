"""Settings of the instance itself: its work, its lifetime and its logs."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from config.units import HOUR_MS, MIB, MINUTE_MS


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
        default=8_000, ge=1, le=100_000, description="records that share one call to a worker"
    )
    chunk_bytes_max: int = Field(
        default=2 * MIB, ge=1, le=64 * MIB, description="bytes in one call; a larger record goes alone"
    )
    chunk_timeout_ms: int = Field(
        default=30_000, ge=100, le=HOUR_MS, description="longest time a worker may take for one chunk"
    )
    lane_chunks_max: int = Field(default=6, ge=1, le=64, description="chunks of one partition in flight at once")
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
