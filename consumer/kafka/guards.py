"""Repairs of aiokafka 0.14.0 itself, for the traps that no careful caller can avoid, and one short cut.

Each is written against the source of exactly that version, so the version is asserted beside them: a new version is
read again before it is used.
"""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import aiokafka
from aiokafka import TopicPartition, client, errors
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

GUARDED_VERSION = "0.14.0"

_send_request = GroupCoordinator._send_req
_create_connection = client.create_conn
_bootstrap = AIOKafkaClient.bootstrap

_connection_errors: ContextVar[list[Exception]] = ContextVar("connection_errors")


async def _send_request_minding_group_errors(self: GroupCoordinator, request: Any) -> Any:
    """T1: an offset fetch that the group refused is an error, not a group without offsets.

    OffsetFetch v3 reports NOT_COORDINATOR and its like once, at the top, with no partitions. aiokafka reads only the
    partitions, finds none and falls back to `auto_offset_reset`: a replay, or a jump over the backlog.
    """
    response = await _send_request(self, request)
    code = getattr(response, "error_code", 0) if isinstance(request, OffsetFetchRequest) else 0
    if code:
        error = errors.for_code(code)
        if error in (errors.GroupCoordinatorNotAvailableError, errors.NotCoordinatorForGroupError):
            self.coordinator_dead()
        raise error
    return response


@contextlib.contextmanager
def _fetch_context(self: SubscriptionState) -> Iterator[None]:
    """T4: a poll that raises or is cancelled has ended all the same.

    The original never counts it out, which switches the `max_poll_interval_ms` check off for ever. Lanes cancel their
    polls whenever partitions are revoked.
    """
    self._fetch_count += 1
    try:
        yield
    finally:
        self._fetch_count -= 1
        if self._fetch_count == 0:
            self._last_fetch_ended = time.monotonic()


def _decoded_record(self: PartitionRecords, partition: TopicPartition, record: Any) -> Any:  # noqa: ARG001
    """No trap but a toll: the record as the C decoder made it, without a Python object around it.

    That object would take as long as all of the decoding. What it adds, topic and partition, `getmany` tells anyway.
    """
    return record


async def _create_connection_with_current_credentials(
    *address: Any, ssl_context: Any = None, sasl_plain_password: Any = None, **options: Any
) -> Any:
    """T23: what can be rotated is given as a function, and asked for at each connection, not once in a client's life.

    T24: whatever goes wrong in a handshake is a failed connection. aiokafka expects no other errors there than its own
    and the network's; one of Kerberos, or a signature that is wrong, would end the background task that met it.
    """
    try:
        return await _create_connection(
            *address,
            ssl_context=ssl_context() if callable(ssl_context) else ssl_context,
            sasl_plain_password=sasl_plain_password() if callable(sasl_plain_password) else sasl_plain_password,
            **options,
        )
    except (errors.KafkaError, OSError, TimeoutError) as error:
        _connection_errors.get([]).append(error)
        raise
    except Exception as error:
        refused = errors.AuthenticationFailedError(f"{type(error).__name__}: {error}")
        _connection_errors.get([]).append(refused)
        raise refused from error


async def _bootstrap_saying_why(self: AIOKafkaClient) -> None:
    """T25: that no address was of use is raised with the reason of the last one, which is otherwise only logged."""
    reasons: list[Exception] = []
    token = _connection_errors.set(reasons)
    try:
        await _bootstrap(self)
    except errors.KafkaConnectionError:
        if not reasons:
            raise
        raise errors.KafkaConnectionError(str(reasons[-1]) or type(reasons[-1]).__name__) from reasons[-1]
    finally:
        _connection_errors.reset(token)


def install() -> None:
    """Put the repairs in place; more than once does no harm.

    Raises:
        RuntimeError: Another version of aiokafka is installed, or Python runs with -O, which removes the assertions
            that aiokafka relies on for its own state (T20).
    """
    if aiokafka.__version__ != GUARDED_VERSION:
        raise RuntimeError(
            f"aiokafka {aiokafka.__version__} is installed, but its traps are known for {GUARDED_VERSION} only"
        )
    if not __debug__:
        raise RuntimeError("run Python without -O and PYTHONOPTIMIZE: aiokafka checks its state by assertions")
    GroupCoordinator._send_req = _send_request_minding_group_errors
    SubscriptionState.fetch_context = _fetch_context
    PartitionRecords._consumer_record = _decoded_record
    AIOKafkaClient.bootstrap = _bootstrap_saying_why
    client.create_conn = _create_connection_with_current_credentials


def records_are_compiled() -> bool:
    """Whether aiokafka decodes records in C; its fallback in Python is ten times slower, and silent."""
    return "_crecords" in DefaultRecordBatchBuilder.__module__
