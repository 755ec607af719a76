"""Tokens for OAUTHBEARER: got from an OIDC provider as a client with credentials of its own, and kept while they last."""

import asyncio
import base64
import json
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import structlog
from aiokafka.abc import AbstractTokenProvider

FETCH_TIMEOUT_S = 10.0
TOKEN_BYTES_MAX = 64 * 1024
LIFETIME_DEFAULT_S = 60  # of a token that does not tell
REFRESH_SHARE = 0.8  # of a token's lifetime, after which the next connection gets a new one

log = structlog.get_logger(__name__)


class NoToken(OSError):
    """The provider gives no token; aiokafka takes it for a connection that failed, and tries again."""


class Tokens(AbstractTokenProvider):  # type: ignore[misc] # aiokafka is not typed
    """The tokens of all clients of an instance.

    aiokafka asks for one with each connection. It does not prove again who it is on a connection that is open
    (KIP-368): brokers close that when its token has expired, and the client connects anew.
    """

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: Callable[[], str],
        scope: str | None,
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._body = urlencode({"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})).encode()
        self._context = context
        self._one_at_a_time = threading.Lock()
        self._token = ""
        self._refresh_at = self._expires_at = 0.0

    async def token(self) -> str:
        """One that has not expired.

        Raises:
            NoToken: The provider is out of reach, or refuses.
        """
        if time.monotonic() < self._refresh_at:
            return self._token
        return await asyncio.to_thread(self._refreshed)

    def _refreshed(self) -> str:
        """In a thread of its own, as it waits for the network; whoever comes meanwhile waits for the same token."""
        with self._one_at_a_time:
            now = time.monotonic()
            if now < self._refresh_at:
                return self._token
            try:
                self._token, lifetime_s = self._fetch()
            except NoToken as error:
                if now >= self._expires_at:
                    raise
                log.warning("no new token, going on with the last one", error=str(error))
            else:
                self._expires_at = now + lifetime_s
                self._refresh_at = now + lifetime_s * REFRESH_SHARE
            return self._token

    def _fetch(self) -> tuple[str, float]:
        opener = build_opener(_NoRedirects(), HTTPSHandler(context=self._context()))
        headers = {"Authorization": f"Basic {self._credentials()}", "Accept": "application/json"}
        request = Request(self._url, self._body, headers)  # noqa: S310 - the settings take http and https only
        try:
            with opener.open(request, timeout=FETCH_TIMEOUT_S) as response:
                answer = json.loads(response.read(TOKEN_BYTES_MAX))
        except HTTPError as error:
            with error:
                raise NoToken(f"{self._url} refuses a token: {error.code} {_error_code(error)}".rstrip()) from None
        except OSError as error:
            raise NoToken(f"{self._url} gives no token: {getattr(error, 'reason', error)}") from error
        except (ValueError, RecursionError):
            raise NoToken(f"{self._url} gives no token: its answer is not JSON") from None
        return self._read(answer)

    def _credentials(self) -> str:
        # RFC 6749, 2.3.1: both are encoded as in a form first.
        pair = f"{quote_plus(self._client_id)}:{quote_plus(self._client_secret())}"
        return base64.b64encode(pair.encode()).decode()

    def _read(self, answer: Any) -> tuple[str, float]:
        match answer:
            case {"access_token": str(token)} if token.isascii() and token.isprintable():
                lifetime_s = answer.get("expires_in")
                return token, float(lifetime_s) if isinstance(lifetime_s, int | float) else LIFETIME_DEFAULT_S
            case _:
                raise NoToken(f"{self._url} gives no token: its answer has no access_token")


class _NoRedirects(HTTPRedirectHandler):
    """The secret goes where the settings say, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """None: a redirection is an error like others."""


def _error_code(error: HTTPError) -> str:
    """The provider's own word for it (RFC 6749, 5.2), if it is one; whatever else it writes is for nobody's log."""
    try:
        code = json.loads(error.read(TOKEN_BYTES_MAX)).get("error")
    except (ValueError, RecursionError, OSError, AttributeError):
        return ""
    return code if isinstance(code, str) and code.isidentifier() else ""
