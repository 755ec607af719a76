"""What settings demand of one another, beyond the bounds each has for itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.settings import Settings

JOIN_MARGIN_MS = 5_000
DRAIN_SHARE_MAX = 0.6


@dataclass(frozen=True, slots=True)
class Conflict:
    """Settings that cannot stand together: the names concerned, the one to change first, and what is wrong."""

    names: tuple[str, ...]
    message: str


class ConflictsError(ValueError):
    """All the conflicts of one set of settings."""

    def __init__(self, found: list[Conflict]) -> None:
        """Keep the conflicts, for whoever reports them one by one."""
        super().__init__("; ".join(f"{conflict.names[0]} {conflict.message}" for conflict in found))
        self.conflicts = found


def conflicts(settings: "Settings") -> list[Conflict]:
    """Return every conflict between the values of `settings`."""
    return [conflict for rule in _RULES for conflict in rule(settings)]


def _timeouts(settings: "Settings") -> Iterator[Conflict]:
    join_ms = settings.rebalance_timeout_ms + JOIN_MARGIN_MS
    if settings.request_timeout_ms < join_ms:
        yield Conflict(
            ("request_timeout_ms", "rebalance_timeout_ms"),
            f"must be at least rebalance_timeout_ms + {JOIN_MARGIN_MS} = {join_ms}, as joining the group waits that long",
        )
    if settings.heartbeat_interval_ms * 3 > settings.session_timeout_ms:
        yield Conflict(
            ("heartbeat_interval_ms", "session_timeout_ms"),
            f"must be at most a third of session_timeout_ms = {settings.session_timeout_ms // 3}, so that two may be lost",
        )
    drain_ms = int(settings.rebalance_timeout_ms * DRAIN_SHARE_MAX)
    if settings.drain_timeout_ms > drain_ms:
        yield Conflict(
            ("drain_timeout_ms", "rebalance_timeout_ms"),
            f"must be at most {DRAIN_SHARE_MAX} of rebalance_timeout_ms = {drain_ms}, to leave time for commit and rejoining",
        )
    if settings.chunk_timeout_ms > settings.progress_timeout_ms:
        yield Conflict(
            ("chunk_timeout_ms", "progress_timeout_ms"),
            f"must be at most progress_timeout_ms = {settings.progress_timeout_ms}, or a slow chunk ends the instance",
        )
    if settings.publish_timeout_ms > settings.outage_timeout_ms:
        yield Conflict(
            ("publish_timeout_ms", "outage_timeout_ms"),
            f"must be at most outage_timeout_ms = {settings.outage_timeout_ms}, or no publishing is tried twice",
        )


def _sizes(settings: "Settings") -> Iterator[Conflict]:
    if settings.partition_fetch_bytes_max > settings.fetch_bytes_max:
        yield Conflict(
            ("partition_fetch_bytes_max", "fetch_bytes_max"),
            f"must be at most fetch_bytes_max = {settings.fetch_bytes_max}, of which it is a share",
        )


def _topics(settings: "Settings") -> Iterator[Conflict]:
    names = ("request_topic", "result_topic", "dead_letter_topic")
    if len({getattr(settings, name) for name in names}) < len(names):
        yield Conflict(names, "must be three different topics, or the service would read what it writes")


def _security(settings: "Settings") -> Iterator[Conflict]:
    protocol = settings.security_protocol
    for name in ("sasl_mechanism", "sasl_username", "sasl_password"):
        if protocol.startswith("SASL_") and getattr(settings, name) is None:
            yield Conflict((name, "security_protocol"), f"must be set, as security_protocol is {protocol}")
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        path = getattr(settings, name)
        if path is not None and not protocol.endswith("SSL"):
            yield Conflict((name, "security_protocol"), f"has no effect, as security_protocol is {protocol}")
        elif path is not None and not path.is_file():
            yield Conflict((name,), "must be a file that is there")
    if settings.ssl_keyfile is not None and settings.ssl_certfile is None:
        yield Conflict(("ssl_certfile", "ssl_keyfile"), "must be set, as ssl_keyfile is")


_RULES: tuple[Callable[["Settings"], Iterator[Conflict]], ...] = (_timeouts, _sizes, _topics, _security)
