"""Permissions that no broker lists, found out by attempts that cannot succeed: whether one is allowed is asked first."""

from collections.abc import Iterable

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import AddOffsetsToTxnRequest

NOBODY = "batchsum-check"
NO_PRODUCER, NO_EPOCH, NO_GENERATION = -1, -1, -1


async def group_is_forbidden(connection: AIOKafkaConnection, group_id: str) -> bool:
    """Whether Read on the group is missing: asked by the heartbeat of a member that is none."""
    response = await connection.send(HeartbeatRequest(group_id, NO_GENERATION, NOBODY))
    return bool(response.error_code == GroupAuthorizationFailedError.errno)


async def transactions_forbidden(
    connection: AIOKafkaConnection, group_id: str, topic: str, partitions: Iterable[int]
) -> list[int]:
    """The partitions on whose transactional ids Write is missing.

    Asked by adding to the transaction of a producer that is none; to begin one would fence the instance that runs.
    """
    forbidden = []
    for partition in partitions:
        request = AddOffsetsToTxnRequest(f"{group_id}-{topic}-{partition}", NO_PRODUCER, NO_EPOCH, group_id)
        response = await connection.send(request)
        if response.error_code == TransactionalIdAuthorizationFailed.errno:
            forbidden.append(partition)
    return forbidden
