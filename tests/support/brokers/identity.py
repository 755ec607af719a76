"""An OIDC provider for tests: it gives signed tokens to whoever has its secret, and remembers for whom."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE = "kafka"
KEY_ID = "key-1"


class Issuer:
    """Signs tokens, and has the key by which others can tell."""

    name = "https://identity.example"

    def __init__(self) -> None:
        self._key = generate_private_key(public_exponent=65_537, key_size=2048)

    @property
    def key_set(self) -> dict[str, Any]:
        """The public key, as brokers read it (JWKS)."""
        numbers = self._key.public_key().public_numbers()
        n, e = (_encoded(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.n, numbers.e))
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": n, "e": e}]}

    def token(self, subject: str, *, lifetime_s: float, audience: str = AUDIENCE) -> str:
        """A token (JWT) that says who *subject* is; with a negative lifetime it has expired."""
        now = time.time()
        claims = {
            "sub": subject,
            "aud": audience,
            "iss": self.name,
            "scope": "kafka",
            "iat": now - 60,
            "exp": now + lifetime_s,
        }
        parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": KEY_ID}, claims)]
        return ".".join([*parts, _encoded(self._key.sign(".".join(parts).encode(), PKCS1v15(), SHA256()))])


class Provider:
    """The place where clients get tokens; `requests` has the body and the user of each request.

    It answers what `answer` says where that is set: a status, and a body.
    """

    def __init__(self, issuer: Issuer, *, secrets: dict[str, str], lifetime_s: float = 300) -> None:
        self.issuer = issuer
        self.secrets = secrets
        self.lifetime_s = lifetime_s
        self.requests: list[dict[str, str]] = []
        self.answer: tuple[int, bytes] | None = None
        self.url = ""

    @contextmanager
    def running(self) -> Iterator["Provider"]:
        """Serve at `url`, for as long as the context lasts."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = provider._answer(self.headers.get("Authorization", ""), body)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{provider.url}/elsewhere")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}/token"
            serving = threading.Thread(target=server.serve_forever, args=(0.01,))
            serving.start()
            try:
                yield self
            finally:
                server.shutdown()
                serving.join()

    def _answer(self, authorization: str, body: str) -> tuple[int, bytes]:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        user, _, secret = (unquote_plus(part) for part in pair.partition(":"))
        self.requests.append({"user": user} | {name: values[0] for name, values in parse_qs(body).items()})
        if self.answer is not None:
            return self.answer
        if secret == "" or self.secrets.get(user) != secret:
            return 401, b'{"error": "invalid_client", "error_description": "not to be logged"}'
        token = self.issuer.token(user, lifetime_s=self.lifetime_s)
        return 200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime_s}).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
