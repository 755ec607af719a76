"""What a survey makes of the errors it meets and of what brokers tell."""

import socket
import ssl

import pytest
from aiokafka import errors

from config.settings import Settings
from consumer.kafka.survey.addresses import Address, addresses, trouble
from consumer.kafka.survey.protocol import MetadataRequest, MetadataRequest_v8, MetadataResponse_v8, operations

SETTINGS = Settings(security_protocol="SSL")


@pytest.mark.parametrize(
    ("error", "what", "mend"),
    [
        (socket.gaierror(-2, "unknown"), "its name is not known", "the name"),
        (ConnectionRefusedError(111, "refused"), "nothing listens there", "start the broker"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "its certificate is not trusted", "ssl_cafile"),
        (ssl.SSLError(1, "wrong version number"), "TLS does not come about", "security_protocol is SSL"),
        (errors.SaslAuthenticationFailed("bad password"), "credentials are refused: ", "sasl_password"),
        (errors.UnsupportedSaslMechanismError("PLAIN"), "it does not take such credentials", "sasl_mechanism"),
        (TimeoutError(), "it does not answer", "firewall"),
        (errors.IncompatibleBrokerVersion("too old"), "it is older than Kafka 2.3", "upgrade"),
        (errors.KafkaConnectionError("closed"), "it hangs up", "security_protocol is SSL"),
        (ConnectionResetError(104, "reset"), "it hangs up", "security_protocol is SSL"),
        (errors.KafkaError("something new"), "it cannot be used: ", "log of the broker"),
    ],
)
def test_an_error_is_told_with_what_to_do(error: Exception, what: str, mend: str) -> None:
    found = trouble(error, SETTINGS)
    assert found.what.startswith(what)
    assert mend in found.mend


def test_addresses_are_those_of_the_settings_in_their_order() -> None:
    settings = Settings(bootstrap_servers="kafka-b:9093,kafka-a,[::1]:9094")
    assert addresses(settings) == [Address("kafka-b", 9093), Address("kafka-a", 9092), Address("::1", 9094)]


def test_operations_are_told_by_their_bits() -> None:
    assert operations(1 << 3 | 1 << 8) == frozenset({"Read", "Describe"})
    assert operations(0) == frozenset()
    assert operations(-(1 << 31)) is None


def test_to_ask_about_a_topic_does_not_create_it() -> None:
    request = MetadataRequest(["requests"]).build(MetadataRequest_v8)
    assert request.to_object() == {
        "topics": ["requests"],
        "allow_auto_topic_creation": False,
        "include_cluster_authorized_operations": False,
        "include_topic_authorized_operations": True,
    }
    assert request.RESPONSE_TYPE is MetadataResponse_v8
