"""The broker as the harness uses it: topics filled, counted and deleted. Its time is measured apart."""

import time
import uuid
from dataclasses import dataclass, field

import psutil
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # public, but not annotated so

from benchmarks.profiles import Profile
from tests.support.brokers import ApacheKafka

PARTITIONS = 8
TIMEOUT_S = 60.0
SETTLE_TIMEOUT_S = 5.0
CLIENT: dict[str, str | int | float] = {"log_level": 0}  # what goes wrong is raised, and not written too

# What Kafka's documentation has brokers run with (operations, "Java version"), on a machine that can spare it. With the 1 GiB
# of its start scripts, the collector stops the broker several times during each load, and two busy cores let it take its time.
HEAP_MEGABYTES = min(6 * 1_024, psutil.virtual_memory().total // 2**20 // 4)
JAVA_OPTIONS = (
    f"-Xms{HEAP_MEGABYTES}m",
    "-XX:MetaspaceSize=96m",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:G1HeapRegionSize=16M",
    "-XX:MinMetaspaceFreeRatio=50",
    "-XX:MaxMetaspaceFreeRatio=80",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:+AlwaysPreTouch",  # as if it had been running for long: no page of the heap is touched for the first time
)
PROPERTIES = {"log.segment.bytes": str(256 * 1024 * 1024)}


def production_broker() -> ApacheKafka:
    """A broker of one node with the memory and the collector of one in production, not started yet."""
    kafka = ApacheKafka(heap_megabytes=HEAP_MEGABYTES, properties=PROPERTIES)
    for node in kafka.nodes:
        node.add_java_options(*JAVA_OPTIONS)
    return kafka


@dataclass
class Stage:
    """A broker, and the backlogs that it holds already: one topic for each profile, size and number of partitions."""

    kafka: ApacheKafka
    _backlogs: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers, **CLIENT})

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers

    def fresh_topic(self, purpose: str, *, partitions: int = PARTITIONS) -> str:
        """A new, empty topic that stamps every record with the broker's own time of its arrival."""
        name = f"{purpose}-{uuid.uuid4().hex[:8]}"
        self.kafka.create_topic(name, partitions=partitions, message_timestamp_type="LogAppendTime")
        self.ends(name, partitions=partitions)
        return name

    def delete(self, topic: str) -> None:
        """Give a topic's disk space back."""
        self._admin.delete_topics([topic], operation_timeout=TIMEOUT_S)[topic].result(TIMEOUT_S)

    def records(self, topic: str, *, partitions: int = PARTITIONS) -> int:
        """How many records *topic* has now."""
        return sum(self.ends(topic, partitions=partitions))

    def ends(self, topic: str, *, partitions: int = PARTITIONS) -> list[int]:
        """The offset behind the last record of each partition of *topic*."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call] # its only way to be made
        asked = {TopicPartition(topic, partition): latest for partition in range(partitions)}
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while True:
            try:
                return [answer.result(TIMEOUT_S).offset for answer in self._admin.list_offsets(asked).values()]
            except KafkaException:  # the leaders of a topic that is seconds old may not know of it yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def backlog(self, profile: Profile, batches: int, *, partitions: int = PARTITIONS) -> str:
        """The topic with the first *batches* batches of *profile*, filled when it is asked for first."""
        place = (profile.name, batches, partitions)
        if place not in self._backlogs:
            topic = self.fresh_topic(f"{profile.name}-{batches}", partitions=partitions)
            self._fill(topic, profile, batches, partitions)
            self._backlogs[place] = topic
        return self._backlogs[place]

    def drop_backlogs(self) -> None:
        """Delete all backlogs; whoever wants one again has it written again."""
        while self._backlogs:
            self.delete(self._backlogs.popitem()[1])

    def _fill(self, topic: str, profile: Profile, batches: int, partitions: int) -> None:
        errors: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                errors.append(error)

        producer = Producer(
            {"bootstrap.servers": self.bootstrap_servers, "linger.ms": 20, "batch.size": 512 * 1024, **CLIENT}
        )
        for number in range(batches):
            key = profile.batchid(number)
            value = profile.request(number)
            while True:
                try:
                    producer.produce(topic, value, key, partition=number % partitions, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
        unsent = producer.flush(TIMEOUT_S)
        if unsent or errors:
            raise RuntimeError(f"the backlog was not written: {unsent} unsent, {errors[:1]}")

    def cpu_s(self) -> float:
        """Processor time that the broker has used so far."""
        times = [psutil.Process(node.process_id).cpu_times() for node in self.kafka.nodes]
        return sum(one.user + one.system for one in times)
