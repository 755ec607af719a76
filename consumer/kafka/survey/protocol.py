"""What aiokafka's own requests cannot ask: which operations the asking principal may do."""

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

# Bits of the field that tells the authorized operations, by Kafka's numbers for them.
OPERATIONS = {3: "Read", 4: "Write", 5: "Create", 6: "Delete", 8: "Describe", 10: "DescribeConfigs"}
NOT_TOLD = -(1 << 31)


class MetadataResponse_v8(Response):  # type: ignore[misc] # noqa: N801 - aiokafka is not typed; it names them so
    """The last version before the protocol's flexible ones, which aiokafka reads for few requests."""

    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class MetadataRequest_v8(RequestStruct):  # type: ignore[misc] # noqa: N801
    """Topics by name."""

    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = MetadataResponse_v8
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class MetadataRequest(Request[MetadataRequest_v8]):  # type: ignore[misc]
    """Brokers, and *topics* with what may be done with each; none of them is created by being asked about."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[MetadataRequest_v8]) -> Any:
        """The request as it is sent."""
        return request_struct_class(self._topics, False, False, True)


def operations(bits: int) -> frozenset[str] | None:
    """The names of the operations in *bits*; None if the broker does not tell."""
    if bits == NOT_TOLD:
        return None
    return frozenset(name for number, name in OPERATIONS.items() if bits & 1 << number)
