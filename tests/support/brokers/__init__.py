"""Brokers for tests and benchmarks: found, started, disturbed and cleared away."""

from tests.support.brokers.apache import ApacheKafka
from tests.support.brokers.broker import Broker, BrokerError, Kind, OutOfReachError
from tests.support.brokers.choice import Choice, find_broker
from tests.support.brokers.fresh import Topics, fresh_topics

__all__ = [
    "ApacheKafka",
    "Broker",
    "BrokerError",
    "Choice",
    "Kind",
    "OutOfReachError",
    "Topics",
    "find_broker",
    "fresh_topics",
]
