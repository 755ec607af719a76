"""What settings demand of one another, beyond the bounds each has for itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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


def _protocol(settings: "Settings") -> Iterator[Conflict]:
    """Everything that is set has an effect, and everything that is needed is set."""
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    if protocol.startswith("SASL_") and mechanism is None:
        yield Conflict(("sasl_mechanism", "security_protocol"), f"must be set, as security_protocol is {protocol}")
    for name in (name for name in _given(settings, "ssl_") if not protocol.endswith("SSL")):
        yield Conflict((name, "security_protocol"), f"has no effect, as security_protocol is {protocol}")
    for prefix, mechanisms in _MECHANISMS.items():
        for name in _given(settings, prefix):
            if not protocol.startswith("SASL_"):
                yield Conflict((name, "security_protocol"), f"has no effect, as security_protocol is {protocol}")
            elif mechanism is not None and mechanism not in mechanisms:
                yield Conflict((name, "sasl_mechanism"), f"has no effect, as sasl_mechanism is {mechanism}")


def _credentials(settings: "Settings") -> Iterator[Conflict]:
    mechanism = settings.sasl_mechanism if settings.security_protocol.startswith("SASL_") else None
    for name in _NEEDS.get(mechanism or "", ()):
        if not _given(settings, name):
            either = f"must be set, or {name}_file" if f"{name}_file" in type(settings).model_fields else "must be set"
            yield Conflict((name, "sasl_mechanism"), f"{either}, as sasl_mechanism is {mechanism}")
    for name in ("ssl_key_password", "sasl_password", "oauth_client_secret"):
        if getattr(settings, name) is not None and getattr(settings, f"{name}_file") is not None:
            yield Conflict((f"{name}_file", name), f"must not be set beside {name}: which of them would count?")
    if settings.ssl_keyfile is not None and settings.ssl_certfile is None:
        yield Conflict(("ssl_certfile", "ssl_keyfile"), "must be set, as ssl_keyfile is")
    if settings.ssl_certfile is None:
        for name in _given(settings, "ssl_key_password"):
            yield Conflict((name, "ssl_certfile"), "has no effect without ssl_certfile")
    url = urlsplit(settings.oauth_token_url or "https:")
    if url.scheme != "https" and url.hostname not in _LOOPBACK:
        yield Conflict(
            ("oauth_token_url",), "must be https, or on this machine, or the secret could be read on its way"
        )
    if mechanism == "GSSAPI" and find_spec("gssapi") is None:
        yield Conflict(("sasl_mechanism",), "needs the extra gssapi for GSSAPI: pip install 'batchsum[gssapi]'")


def _traces(settings: "Settings") -> Iterator[Conflict]:
    if settings.traces_endpoint and not _installed("opentelemetry.exporter.otlp.proto.http"):
        yield Conflict(("traces_endpoint",), "needs the extra traces: pip install 'batchsum[traces]'")


def _files(settings: "Settings") -> Iterator[Conflict]:
    for name in _FILES:
        path = getattr(settings, name)
        if path is not None and not path.is_file():
            yield Conflict((name,), "must be a file that is there")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it would be in
        return False


def _given(settings: "Settings", prefix: str) -> list[str]:
    """The settings of this beginning that somebody has set."""
    named = [name for name in type(settings).model_fields if name.startswith(prefix)]
    return [name for name in named if name in settings.model_fields_set and getattr(settings, name) is not None]


# Which mechanisms the settings that begin so are for, and what each mechanism cannot do without.
_MECHANISMS = {
    "sasl_username": {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"},
    "sasl_password": {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"},
    "oauth_": {"OAUTHBEARER"},
}
_NEEDS = {
    "PLAIN": ("sasl_username", "sasl_password"),
    "SCRAM-SHA-256": ("sasl_username", "sasl_password"),
    "SCRAM-SHA-512": ("sasl_username", "sasl_password"),
    "OAUTHBEARER": ("oauth_token_url", "oauth_client_id", "oauth_client_secret"),
}
_FILES = (
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_key_password_file",
    "sasl_password_file",
    "oauth_client_secret_file",
    "oauth_cafile",
)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

_RULES: tuple[Callable[["Settings"], Iterator[Conflict]], ...] = (
    _timeouts,
    _sizes,
    _topics,
    _protocol,
    _credentials,
    _traces,
    _files,
)
