"""FastStream record by record, as its documentation begins: a handler that takes a model and returns one.

The records are acknowledged on consumption (FastStream's default, which commits in the background): acknowledged after
processing, each would cost a commit of its own.
"""

from datetime import UTC, datetime

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaResponse

from benchmarks.peers.job import PUBLISH_BATCH_BYTES_MAX, Place, Request, respond

place = Place.from_environment()
broker = KafkaBroker(place.bootstrap_servers, acks="all", max_batch_size=PUBLISH_BATCH_BYTES_MAX, logger=None)
app = FastStream(broker, logger=None)


@broker.subscriber(place.request_topic, group_id=place.group_id, auto_offset_reset="earliest")
@broker.publisher(place.result_topic)
async def handle(request: Request) -> KafkaResponse:
    return KafkaResponse(respond(request, datetime.now(UTC)), key=request.batchid.encode())
