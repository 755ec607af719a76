"""Apache Kafka that lets nobody in without proof: TLS, all kinds of credentials, and an authorizer that grants nothing."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path

import trustme
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its public names, which it imports but does not list
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.support.brokers.apache import ApacheKafka
from tests.support.brokers.identity import AUDIENCE, Issuer
from tests.support.brokers.ports import HOST, free_port
from tests.support.brokers.topics import administrator
from tests.support.proxy import Proxy

ADMIN_TIMEOUT_S = 20.0
SCRAM_ITERATIONS = 4096
PLAIN_USER, PLAIN_PASSWORD = "plain-user", "plain-secret"
MECHANISMS = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}


class SecuredKafka(ApacheKafka):
    """One node with three doors.

    `bootstrap_servers` is for the tests themselves, which may do everything. `sasl` wants a password or a token over
    TLS, `mutual` a certificate of `clients`; who comes in there may do what rules allow, which at first is nothing.
    Both are behind proxies, so that their connections can be cut.
    """

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.clients = trustme.CA()
        self.issuer = Issuer()
        self._sasl, self._mutual = (Proxy(f"{HOST}:{free_port()}") for _ in range(2))
        super().__init__(
            heap_megabytes=384,
            properties={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",  # the tests, and the node itself
            },
        )
        self.nodes[0].add_java_options(f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._key_set.as_uri()}")

    @cached_property
    def administrator(self) -> AdminClient:
        """A client for questions and orders."""
        return administrator(self.bootstrap_servers)

    @property
    def sasl(self) -> str:
        """The address of the door that wants a password or a token."""
        return self._sasl.address

    @property
    def mutual(self) -> str:
        """The address of the door that wants a certificate."""
        return self._mutual.address

    @asynccontextmanager
    async def reachable(self) -> AsyncIterator[None]:
        """Run the proxies, for as long as the context lasts."""
        async with self._sasl.running(), self._mutual.running():
            yield

    def cut(self) -> None:
        """End all connections through both of the doors."""
        for proxy in (self._sasl, self._mutual):
            proxy.reset()

    def let_in(self, user: str, password: str, mechanism: str = "SCRAM-SHA-256") -> None:
        """Make a user, or change the password."""
        info = ScramCredentialInfo(MECHANISMS[mechanism], SCRAM_ITERATIONS)
        self._alter_user(UserScramCredentialUpsertion(user, info, password.encode()))

    def shut_out(self, user: str, mechanism: str = "SCRAM-SHA-256") -> None:
        """Withdraw the credentials; connections there are stay."""
        self._alter_user(UserScramCredentialDeletion(user, MECHANISMS[mechanism]))

    def allow(self, rules: list[AclBinding]) -> None:
        """Put *rules* in force."""
        for done in self.administrator.create_acls(rules).values():
            done.result(timeout=ADMIN_TIMEOUT_S)

    def forbid(self, rule: AclBinding) -> None:
        """Take a rule back."""
        self._forbid(
            AclBindingFilter(
                rule.restype,
                rule.name,
                rule.resource_pattern_type,
                rule.principal,
                rule.host,
                rule.operation,
                rule.permission_type,
            )
        )

    def forbid_all(self, user: str) -> None:
        """Take all of a user's rules back."""
        anything = AclBindingFilter(
            ResourceType.ANY,
            None,  # type: ignore[arg-type] # any
            ResourcePatternType.ANY,
            f"User:{user}",
            None,  # type: ignore[arg-type] # from anywhere
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        self._forbid(anything)

    def _forbid(self, rules: AclBindingFilter) -> None:
        (done,) = self.administrator.delete_acls([rules]).values()
        assert done.result(timeout=ADMIN_TIMEOUT_S), "there was no such rule"

    def _alter_user(self, alteration: UserScramCredentialUpsertion | UserScramCredentialDeletion) -> None:
        done = self.administrator.alter_user_scram_credentials([alteration])
        done[alteration.user].result(timeout=ADMIN_TIMEOUT_S)

    @property
    def _key_set(self) -> Path:
        return self.nodes[0].directory / "keys.json"

    def _format(self) -> None:
        super()._format()
        (node,) = self.nodes
        self._key_set.write_text(json.dumps(self.issuer.key_set))
        with (node.directory / "server.properties").open("a") as properties:
            lines = self._listeners(node.address, node.controller_address)
            properties.write("\n".join(lines) + "\n")  # of two equal names the last one counts

    def _listeners(self, address: str, controller_address: str) -> list[str]:
        key_store, trust_store = self._write_stores(self.nodes[0].directory)
        doors = f"SASL://{self._sasl.target},MUTUAL://{self._mutual.target}"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        oauth = "org.apache.kafka.common.security.oauthbearer"
        return [
            f"listeners=PLAINTEXT://{address},{doors},CONTROLLER://{controller_address}",
            f"advertised.listeners=PLAINTEXT://{address},SASL://{self.sasl},MUTUAL://{self.mutual}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL",
            "inter.broker.listener.name=PLAINTEXT",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={key_store}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={trust_store}",
            "listener.name.mutual.ssl.client.auth=required",
            "listener.name.mutual.ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/",
            f"listener.name.sasl.sasl.enabled.mechanisms=PLAIN,{','.join(MECHANISMS)},OAUTHBEARER",
            f"listener.name.sasl.scram-sha-256.sasl.jaas.config={scram}",
            f"listener.name.sasl.scram-sha-512.sasl.jaas.config={scram}",
            f'listener.name.sasl.plain.sasl.jaas.config={plain} user_{PLAIN_USER}="{PLAIN_PASSWORD}";',
            f"listener.name.sasl.oauthbearer.sasl.jaas.config={oauth}.OAuthBearerLoginModule required;",
            f"listener.name.sasl.oauthbearer.sasl.server.callback.handler.class={oauth}.OAuthBearerValidatorCallbackHandler",
            f"listener.name.sasl.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={self._key_set.as_uri()}",
            f"listener.name.sasl.oauthbearer.sasl.oauthbearer.expected.audience={AUDIENCE}",
            f"listener.name.sasl.oauthbearer.sasl.oauthbearer.expected.issuer={self.issuer.name}",
        ]

    def _write_stores(self, directory: Path) -> tuple[Path, Path]:
        """What the broker shows of itself, and whose clients it lets in."""
        certificate = self.authority.issue_cert(HOST)
        key = load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # Java reads no other
        key_store, trust_store = directory / "key-store.pem", directory / "trust-store.pem"
        key_store.write_bytes(key_pem + b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
        self.clients.cert_pem.write_to_path(trust_store)
        return key_store, trust_store
