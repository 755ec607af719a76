"""Somebody who comes to the secured broker: topics of their own, a name nobody has heard before, and ways to log in."""

import asyncio
from pathlib import Path

import trustme

from config.settings import Settings
from consumer.service import Service
from tests.support.brokers import Topics
from tests.support.brokers.identity import Provider
from tests.support.brokers.secured import SecuredKafka
from tests.support.kafka import produce, read, settings_for
from tests.support.permissions import documented
from tests.support.records import request
from tests.support.waiting import wait_until

PASSWORD = "s%cret"
ANSWERED_TIMEOUT_S = 30


class Guest:
    """What a test of security needs at hand. In *directory* are the files that its settings name."""

    def __init__(self, kafka: SecuredKafka, topics: Topics, directory: Path) -> None:
        self.kafka = kafka
        self.topics = topics
        self.name = f"user-of-{topics.group_id}"
        self._directory = directory
        kafka.authority.cert_pem.write_to_path(directory / "authority.pem")

    async def let_in(self, password: str = PASSWORD, mechanism: str = "SCRAM-SHA-256") -> None:
        """Make the user, or change the password."""
        await asyncio.to_thread(self.kafka.let_in, self.name, password, mechanism)

    async def permit(self, *headings: str, user: str | None = None) -> None:
        """Give the user what the documentation lists under *headings*."""
        names = self.names(user or self.name)
        rules = [rule for heading in headings for rule in documented(heading, names)]
        await asyncio.to_thread(self.kafka.allow, rules)

    def names(self, user: str) -> dict[str, str]:
        """What stands in the place of the names that the documentation uses."""
        return {
            "batch-requests": self.topics.request_topic,
            "batch-results": self.topics.result_topic,
            "batch-requests-dlq": self.topics.dead_letter_topic,
            "batchsum": self.topics.group_id,
            "batchsum-batch-requests-": f"{self.topics.group_id}-{self.topics.request_topic}-",
            "User:batchsum": f"User:{user}",
            "User:caller": f"User:{user}",
            "User:auditor": f"User:{user}",
        }

    def password(self, **others: object) -> Settings:
        """Settings of an instance that comes in by SCRAM, unless told otherwise."""
        usual = {"sasl_mechanism": "SCRAM-SHA-256", "sasl_username": self.name, "sasl_password": PASSWORD}
        return self._over_tls(self.kafka.sasl, "SASL_SSL", usual | others)

    def token(self, provider: Provider, **others: object) -> Settings:
        """Settings of one that comes in by a token."""
        client = {"oauth_token_url": provider.url, "oauth_client_id": self.name, "oauth_client_secret": PASSWORD}
        return self._over_tls(self.kafka.sasl, "SASL_SSL", {"sasl_mechanism": "OAUTHBEARER"} | client | others)

    def certificate(self, **others: object) -> Settings:
        """Settings of one that comes in by a certificate, which is there from now on."""
        self.certify(self.kafka.clients, self.name)
        files = {"ssl_certfile": self.file("client.pem"), "ssl_keyfile": self.file("client.key")}
        return self._over_tls(self.kafka.mutual, "SSL", files | others)

    def certify(self, authority: trustme.CA, user: str) -> None:
        """Replace certificate and key."""
        certificate = authority.issue_cert("client.example", common_name=user)
        certificate.private_key_pem.write_to_path(self.file("client.key"))
        certificate.cert_chain_pems[0].write_to_path(self.file("client.pem"))

    def file(self, name: str) -> Path:
        """The path of one of its files."""
        return self._directory / name

    async def answered(self, service: Service, *batchids: str) -> None:
        """Return when these batches, which are requested now, are answered: these, and no others."""
        done = service.report.batches + len(batchids)
        await produce(self.kafka, self.topics.request_topic, [request(batchid, [[1, 2]]) for batchid in batchids])
        await wait_until(lambda: service.report.batches >= done, timeout_s=ANSWERED_TIMEOUT_S)
        assert (await self.answers())[-len(batchids) :] == list(batchids)

    async def answers(self) -> list[str]:
        """The batchids of all answers, in order."""
        return [(message.key() or b"").decode() for message in await read(self.kafka, self.topics.result_topic)]

    def _over_tls(self, address: str, protocol: str, others: dict[str, object]) -> Settings:
        usual = {"bootstrap_servers": address, "security_protocol": protocol, "ssl_cafile": self.file("authority.pem")}
        return settings_for(self.kafka, self.topics, **usual | others)
