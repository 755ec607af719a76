"""Repairs of aiokafka 0.14.0 itself, for the traps that no careful caller can avoid, and one short cut.

Each is written against the source of exactly that version, so the version is asserted beside them: a new version is
read again before it is used.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiokafka
from aiokafka import TopicPartition, errors
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.group import JoinGroupRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.util import create_future

from consumer.wire.log import LogBatches

GUARDED_VERSION = "0.14.0"
FENCED_INSTANCE_ID = 82  # a code that aiokafka does not know
SEQUENCE_NUMBERS = 2**31

_send_request = GroupCoordinator._send_req
_do_heartbeat = GroupCoordinator._do_heartbeat
_unpack = PartitionRecords._unpack_records
_do_commit_offsets = GroupCoordinator._do_commit_offsets
_reset_generation = GroupCoordinator.reset_generation
_join_as_follower = CoordinatorGroupRebalance._on_join_follower
_failure = MessageBatch.failure
_error_transaction = TransactionManager.error_transaction
_fatal_error = TransactionManager.fatal_error


async def _send_request_minding_group_errors(self: GroupCoordinator, request: Any) -> Any:
    """T1: an offset fetch that the group refused is an error, not a group without offsets.

    OffsetFetch v3 reports NOT_COORDINATOR and its like once, at the top, with no partitions. aiokafka reads only the
    partitions, finds none and falls back to `auto_offset_reset`: a replay, or a jump over the backlog.
    """
    if isinstance(request, JoinGroupRequest) and self._group_instance_id is not None:
        return await _join_under_the_former_id(self, request)
    response = await _send_request(self, request)
    code = getattr(response, "error_code", 0) if isinstance(request, OffsetFetchRequest) else 0
    if code:
        error = errors.for_code(code)
        if error in (errors.GroupCoordinatorNotAvailableError, errors.NotCoordinatorForGroupError):
            self.coordinator_dead()
        raise error
    return response


async def _do_heartbeat_or_join_again(self: GroupCoordinator) -> bool:
    """T27: a member whose heartbeat is refused, as when a permission has been withdrawn, joins again when it may.

    The original ends its heartbeats for ever, and still takes itself for a member.
    """
    try:
        return bool(await _do_heartbeat(self))
    except errors.KafkaError:
        self.reset_generation()
        return False


def _reset_generation_but_remember(self: GroupCoordinator) -> None:
    """T28: a static member that is not known any more asks first under the id that it had.

    The original joins as if it were new, which takes the place from whoever has the same `group_instance_id` now; that
    one does the same to it, and so on for ever. Asked under the old id, the broker tells whether the place is another's.
    """
    if self._group_instance_id is not None and self.member_id:
        self.former_member_id = self.member_id
    _reset_generation(self)


async def _join_under_the_former_id(self: GroupCoordinator, request: JoinGroupRequest) -> Any:
    former = getattr(self, "former_member_id", None)
    if former and not request._member_id:
        request._member_id = former
    response = await _send_request(self, request)
    if response.error_code == FENCED_INSTANCE_ID:
        self.is_replaced = True
    elif response.error_code in (errors.NoError.errno, errors.UnknownMemberIdError.errno):
        self.former_member_id = None  # it is a member again, or nobody has its place
    return response


async def _join_as_a_watchful_follower(self: CoordinatorGroupRebalance) -> Any:
    """T29: a static member watches the topic's partitions, whoever leads the group.

    Only the leader does in the original. A leader that comes back under its `group_instance_id` is told that somebody
    else leads (KIP-345), and from then on nobody would notice new partitions.
    """
    coordinator = self._coordinator
    if coordinator._group_instance_id is not None:
        await coordinator._client._maybe_wait_metadata()
        coordinator._group_subscription = self._subscription.topics
        coordinator._metadata_snapshot = coordinator._get_metadata_snapshot()
    return await _join_as_follower(self)


def _increment_sequence_number(self: TransactionManager, partition: TopicPartition, records: int) -> None:
    """T36: behind the last number there is, the records of a partition are counted from 0 again.

    The original goes on below 0, which the brokers refuse for ever. A busy partition is there after some hours.
    """
    self._sequence_numbers[partition] = (self._sequence_numbers[partition] + records) % SEQUENCE_NUMBERS


def _failure_heard(self: MessageBatch, exception: Exception) -> None:
    """T37: whoever sent a batch hears of its failure, and nobody need hear of it again.

    The original tells as well whoever might wait until the batch has left, and for its transaction's end, where mostly
    nobody does; and whoever sent it may have given up. An error that nobody asks for is logged whenever memory is cleared:
    at night, of a lane that went on long ago.
    """
    _failure(self, exception)
    self.future.exception()
    self._drain_waiter.exception()


def _error_transaction_heard(self: TransactionManager, exc: Exception) -> None:
    """T37, of a transaction that can be aborted."""
    _end_heard(self, _error_transaction, exc)


def _fatal_error_heard(self: TransactionManager, exc: Exception) -> None:
    """T37, of the last one of its producer: somebody else has the transactional id now, say.

    Where a producer has no transaction, the original fails in telling it.
    """
    self._transaction_waiter = self._transaction_waiter or create_future()
    _end_heard(self, _fatal_error, exc)


def _end_heard(
    self: TransactionManager, end: Callable[[TransactionManager, Exception], None], error: Exception
) -> None:
    offsets = [added for _, _, added in self._pending_txn_offsets]  # whoever sent these may have given up
    end(self, error)
    for told in (*offsets, self._transaction_waiter):
        told.exception()


def _do_commit_offsets_heard(self: GroupCoordinator, assignment: Any, offsets: Any) -> "asyncio.Task[None]":
    """T37, of a commit that goes on by itself after it was given up."""
    committing = asyncio.create_task(_do_commit_offsets(self, assignment, offsets))
    committing.add_done_callback(lambda commit: commit.cancelled() or commit.exception())
    return committing


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


def whole_batches(value: bytes) -> bytes:
    """The value deserializer of a consumer that is handed record batches as they stand in the log, in place of records.

    It says so by being there, and is never called.
    """
    raise NotImplementedError(value)


def _unpack_records(self: PartitionRecords) -> Iterator[Any]:
    """No trap but a toll: what is decoded here is decoded on the event loop (T22).

    Which batches are handed out, which are markers, and which belong to transactions that were aborted stays the
    original's decision.
    """
    self._records.whole = self._value_deserializer is whole_batches
    unpacked: Iterator[Any] = _unpack(self)
    return unpacked


def _as_it_is(self: PartitionRecords, partition: TopicPartition, record: Any) -> Any:  # noqa: ARG001
    """Another toll: the record as the C decoder made it, without a Python object around it, or a batch as it stands.

    That object would take as long as all of the decoding. What it adds, topic and partition, `getmany` tells anyway.
    """
    return record


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
    GroupCoordinator._do_heartbeat = _do_heartbeat_or_join_again
    GroupCoordinator._do_commit_offsets = _do_commit_offsets_heard
    GroupCoordinator.reset_generation = _reset_generation_but_remember
    CoordinatorGroupRebalance._on_join_follower = _join_as_a_watchful_follower
    TransactionManager.increment_sequence_number = _increment_sequence_number
    MessageBatch.failure = _failure_heard
    TransactionManager.error_transaction = _error_transaction_heard
    TransactionManager.fatal_error = _fatal_error_heard
    SubscriptionState.fetch_context = _fetch_context
    PartitionRecords._consumer_record = _as_it_is
    PartitionRecords._unpack_records = _unpack_records
    fetcher.MemoryRecords = LogBatches


def records_are_compiled() -> bool:
    """Whether aiokafka decodes records in C; its fallback in Python is ten times slower, and silent."""
    return "_crecords" in DefaultRecordBatchBuilder.__module__
