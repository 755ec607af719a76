"""FastStream with batches in and batches out: the one of its documented forms that is quick and at least once.

Record by record, its acknowledgement after processing costs a commit each; the form below commits once a batch.
"""

from datetime import UTC, datetime

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaPublishMessage

from benchmarks.peers.job import RECORD_BYTES_MAX, Place, Request, respond

place = Place.from_environment()
broker = KafkaBroker(place.bootstrap_servers, acks="all", max_batch_size=RECORD_BYTES_MAX, logger=None)
app = FastStream(broker, logger=None)


@broker.subscriber(
    place.request_topic,
    group_id=place.group_id,
    auto_offset_reset="earliest",
    batch=True,
    max_records=500,
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
@broker.publisher(place.result_topic, batch=True)
async def handle(requests: list[Request]) -> tuple[KafkaPublishMessage, ...]:
    started_at = datetime.now(UTC)
    return tuple(
        KafkaPublishMessage(respond(request, started_at), key=request.batchid.encode()) for request in requests
    )
