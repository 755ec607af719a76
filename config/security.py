"""Settings of the connection's security: how the brokers prove who they are, and how this client does.

Each secret has two settings, of which one is set: its value, or, with `_file` at its end, a file that holds it. Files are
read again for each new connection, certificates and keys among them, so that what is rotated there needs no restart.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, StringConstraints

from config.connection import Name

Url = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://[^\s/@]+(/\S*)?$")]
Secret = Annotated[SecretStr, Field(min_length=1)]

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]


class Security(BaseModel):
    """Security of the connection."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how the brokers are spoken to"
    )
    ssl_cafile: Path | None = Field(
        default=None, description="certificates that vouch for the brokers (PEM); unset: the system's"
    )
    ssl_certfile: Path | None = Field(default=None, description="this client's certificate chain (PEM)")
    ssl_keyfile: Path | None = Field(default=None, description="the private key of `ssl_certfile` (PEM)")
    ssl_key_password: Secret | None = Field(default=None, description="opens `ssl_keyfile` where it is encrypted")
    ssl_key_password_file: Path | None = Field(default=None, description="or a file that holds it")
    sasl_mechanism: Mechanism | None = Field(
        default=None, description="how this client proves who it is; `SASL_…` protocols need it"
    )
    sasl_username: Name | None = Field(default=None, description="who this client is, for `PLAIN` and `SCRAM-…`")
    sasl_password: Secret | None = Field(default=None, description="and the proof of it")
    sasl_password_file: Path | None = Field(default=None, description="or a file that holds it")
    oauth_token_url: Url | None = Field(
        default=None, description="where `OAUTHBEARER` gets its tokens, as a client with credentials (OIDC)"
    )
    oauth_client_id: Name | None = Field(default=None, description="who this client is to that place")
    oauth_client_secret: Secret | None = Field(default=None, description="and the proof of it")
    oauth_client_secret_file: Path | None = Field(default=None, description="or a file that holds it")
    oauth_scope: Name | None = Field(default=None, description="the scope to ask for, where one is needed")
    oauth_cafile: Path | None = Field(
        default=None, description="certificates that vouch for that place (PEM); unset: the system's"
    )
    kerberos_service_name: Name = Field(
        default="kafka", description="the brokers' service, for `GSSAPI`; needs the extra `gssapi`"
    )
    kerberos_domain_name: Name | None = Field(
        default=None, description="their host in the principal; unset: the one that is connected to"
    )
