"""Arroyo: records reduced to runs, a pool of processes fed through shared memory, runs unfolded, produced, committed.

Its `RunTaskWithMultiprocessing` pickles each message by itself; a message that is a run of records spares it most.
"""

import signal
from collections.abc import Iterator, Mapping
from types import FrameType

from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration, build_kafka_producer_configuration
from arroyo.commit import ONCE_PER_SECOND
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, Produce, Reduce, RunTaskWithMultiprocessing, Unfold
from arroyo.processing.strategies.abstract import ProcessingStrategy, ProcessingStrategyFactory
from arroyo.processing.strategies.run_task_with_multiprocessing import MultiprocessingPool
from arroyo.types import BaseValue, Commit, FilteredPayload, Message, Partition, Topic, Value

from benchmarks.peers.job import RECORD_BYTES_MAX, Answer, Place, answer

RUN_BYTES_MAX = 64 * 1024
RUNS_MAX = 8
WAIT_MAX_S = 0.02
BLOCK_BYTES = 16 * 1024 * 1024
PENDING_RESULTS_MAX = 50_000


def gather(run: FilteredPayload | list[bytes], record: BaseValue[KafkaPayload]) -> FilteredPayload | list[bytes]:
    assert isinstance(run, list)  # nothing is filtered here
    run.append(record.payload.value)
    return run


def size(record: BaseValue[KafkaPayload]) -> int:
    return len(record.payload.value)


def process(message: Message[list[bytes]]) -> list[Answer]:
    return [answer(value) for value in message.payload]


def unfold(answers: list[Answer]) -> Iterator[Value[KafkaPayload]]:
    for key, value in answers:
        yield Value(KafkaPayload(key, value, []), {})


class Factory(ProcessingStrategyFactory[KafkaPayload]):
    def __init__(self, place: Place) -> None:
        self._topic = Topic(place.result_topic)
        self._pool = MultiprocessingPool(place.workers)
        self._producer = KafkaProducer(
            build_kafka_producer_configuration(
                {"acks": "all", "message.max.bytes": RECORD_BYTES_MAX, "linger.ms": 5},
                bootstrap_servers=[place.bootstrap_servers],
            )
        )

    def create_with_partitions(
        self,
        commit: Commit,
        partitions: Mapping[Partition, int],  # noqa: ARG002 - what they are makes no difference
    ) -> ProcessingStrategy[KafkaPayload]:
        produce = Produce(self._producer, self._topic, CommitOffsets(commit), max_buffer_size=PENDING_RESULTS_MAX)
        compute = RunTaskWithMultiprocessing(
            process,
            Unfold(unfold, produce),
            max_batch_size=RUNS_MAX,
            max_batch_time=WAIT_MAX_S,
            pool=self._pool,
            input_block_size=BLOCK_BYTES,
            output_block_size=BLOCK_BYTES,
        )
        return Reduce(RUN_BYTES_MAX, WAIT_MAX_S, gather, list, compute, compute_batch_size=size)

    def shutdown(self) -> None:
        self._pool.close()
        self._producer.close().result()


def main() -> None:
    place = Place.from_environment()
    configuration = build_kafka_consumer_configuration(
        {}, bootstrap_servers=[place.bootstrap_servers], group_id=place.group_id, auto_offset_reset="earliest"
    )
    processor = StreamProcessor(
        KafkaConsumer(configuration), Topic(place.request_topic), Factory(place), ONCE_PER_SECOND
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        processor.signal_shutdown()

    signal.signal(signal.SIGTERM, stop)
    processor.run()


if __name__ == "__main__":
    main()
