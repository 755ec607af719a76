"""Quix Streams: a dataframe that is applied to every record, in its default guarantee (at least once)."""

from quixstreams import Application

from benchmarks.peers.job import RECORD_BYTES_MAX, Place, answer

place = Place.from_environment()
app = Application(
    place.bootstrap_servers,
    consumer_group=place.group_id,
    auto_offset_reset="earliest",
    auto_create_topics=False,
    loglevel="WARNING",
    producer_extra_config={"acks": "all", "message.max.bytes": RECORD_BYTES_MAX, "linger.ms": 5},
)
requests = app.topic(place.request_topic, value_deserializer="bytes")
results = app.topic(place.result_topic, value_serializer="bytes")


def value(request: bytes) -> bytes:
    return answer(request).value


app.dataframe(requests).apply(value).to_topic(results)  # under the request's key, which is the batchid

if __name__ == "__main__":
    app.run()
