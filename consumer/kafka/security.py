"""How a client proves who it is, and has the brokers prove who they are.

What can be rotated, aiokafka is given as a function, which `guards` has it call for each new connection.
"""

import ssl
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from aiokafka import errors
from pydantic import SecretStr

from config.settings import Settings
from consumer.failures import CannotConnect
from consumer.kafka.tokens import Tokens

SECRET_BYTES_MAX = 64 * 1024

log = structlog.get_logger(__name__)

_Fingerprint = tuple[tuple[int, int, int], ...]


def security_options(settings: Settings) -> dict[str, Any]:
    """What clients of aiokafka are given for `security_protocol` and what goes with it.

    Raises:
        CannotConnect: A certificate, key or secret cannot be read.
    """
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    options: dict[str, Any] = {"security_protocol": protocol}
    try:
        if protocol.endswith("SSL"):
            options["ssl_context"] = _certificates(settings)
            options["ssl_context"]()
        if protocol.startswith("SASL"):
            options |= {"sasl_mechanism": mechanism, "sasl_plain_username": settings.sasl_username}
            options |= {"sasl_kerberos_service_name": settings.kerberos_service_name}
            options |= {"sasl_kerberos_domain_name": settings.kerberos_domain_name}
            if password := secret(settings.sasl_password, settings.sasl_password_file):
                options["sasl_plain_password"] = password
                password()
            if mechanism == "OAUTHBEARER":
                options["sasl_oauth_token_provider"] = _tokens(settings)
    except OSError as error:
        raise CannotConnect(f"the connection cannot be secured: {error}") from error
    return options


def secret(value: SecretStr | None, file: Path | None) -> Callable[[], str] | None:
    """What returns a secret as it is now; None where there is none. The line end behind it in a file is none of it."""
    if file is not None:
        return lambda: _content(file)
    return value.get_secret_value if value is not None else None


def _content(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(SECRET_BYTES_MAX)
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise OSError(f"{file} is not text in UTF-8") from None
    if not text:
        raise OSError(f"{file} is empty")
    return text


# One for all clients of an instance: certificates are read once each time they change, and a token serves everybody.
@lru_cache(maxsize=16)
def _certificates(settings: Settings) -> "Certificates":
    return Certificates(
        cafile=settings.ssl_cafile,
        certfile=settings.ssl_certfile,
        keyfile=settings.ssl_keyfile,
        key_password=secret(settings.ssl_key_password, settings.ssl_key_password_file),
    )


@lru_cache(maxsize=16)
def _tokens(settings: Settings) -> Tokens:
    client_secret = secret(settings.oauth_client_secret, settings.oauth_client_secret_file)
    if settings.oauth_token_url is None or settings.oauth_client_id is None or client_secret is None:
        raise OSError("OAUTHBEARER needs oauth_token_url, oauth_client_id and oauth_client_secret")
    return Tokens(
        url=settings.oauth_token_url,
        client_id=settings.oauth_client_id,
        client_secret=client_secret,
        scope=settings.oauth_scope,
        context=Certificates(cafile=settings.oauth_cafile),
    )


class Certificates:
    """TLS as the files have it: called for each connection, and read again when one of them has changed.

    Files that do not fit together, as halfway through a rotation, leave what was there before in use, with a warning;
    they are tried again for the next connection.
    """

    def __init__(
        self,
        *,
        cafile: Path | None,
        certfile: Path | None = None,
        keyfile: Path | None = None,
        key_password: Callable[[], str] | None = None,
    ) -> None:
        self._cafile = cafile
        self._certfile = certfile
        self._keyfile = keyfile
        self._key_password = key_password
        self._context: ssl.SSLContext | None = None
        self._read_at: _Fingerprint = ()

    def __call__(self) -> ssl.SSLContext:
        """The context for a new connection.

        Raises:
            OSError: The files cannot be used, and never could.
        """
        try:
            fingerprint = _fingerprint(filter(None, (self._cafile, self._certfile, self._keyfile)))
            if self._context is None or fingerprint != self._read_at:
                context = self._read()
                if self._context is not None:
                    log.info("certificates read again")
                self._context, self._read_at = context, fingerprint
        except OSError as error:
            if self._context is None:
                raise
            log.warning("certificates cannot be read again, going on with those from before", error=str(error))
        return self._context

    def _read(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._cafile)
        except OSError as error:
            raise OSError(f"{self._cafile}: {_reason(error)}") from error
        if self._certfile:
            # A password is always given: without one, an encrypted key would ask for it at a terminal that is not there.
            password = self._key_password() if self._key_password else ""
            try:
                context.load_cert_chain(self._certfile, self._keyfile, password=password)
            except OSError as error:
                names = " and ".join(str(file) for file in (self._certfile, self._keyfile) if file)
                raise OSError(f"{names}: {_reason(error)}") from error
        return context


def _fingerprint(files: Iterable[Path]) -> _Fingerprint:
    """What changes when a file does; a mounted secret is replaced as a whole, by another file behind a link."""
    stats = [file.stat() for file in files]
    return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)


def _reason(error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return _TLS_REASONS.get(error.reason or "", "no certificate, or no key, in PEM")


_TLS_REASONS = {
    "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
    "BAD_DECRYPT": "the key's password is wrong",
}

_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (errors.TopicAuthorizationFailedError, "this user lacks a permission on the topic"),
    (errors.GroupAuthorizationFailedError, "this user lacks Read on the group"),
    (errors.TransactionalIdAuthorizationFailed, "this user lacks Write on the transactional ids"),
    (errors.ClusterAuthorizationFailedError, "this user lacks a permission on the cluster, or Write on any topic"),
    (errors.SaslAuthenticationFailed, "sasl_mechanism, sasl_username and sasl_password, or what stands in their place"),
    (errors.UnsupportedSaslMechanismError, "sasl_mechanism must be one of those"),
)

_HOST_MISMATCH, _ADDRESS_MISMATCH = 62, 64  # X509_V_ERR_…


def advice(error: BaseException | None) -> str:
    """Which setting or permission an *error* is about, or one that it comes from; nothing where it is about neither."""
    if error is None:
        return ""
    if isinstance(error, ssl.SSLCertVerificationError):
        if getattr(error, "verify_code", 0) in {_HOST_MISMATCH, _ADDRESS_MISMATCH}:
            return "bootstrap_servers, and what brokers advertise, must be names in the brokers' certificates"
        return "ssl_cafile must vouch for the brokers' certificates"
    words = next((words for kind, words in _ADVICE if isinstance(error, kind)), "")
    return words or advice(error.__cause__)
