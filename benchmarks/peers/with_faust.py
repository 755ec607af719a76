"""Faust: an agent that takes its records in runs, and sends the answers buffered; offsets are committed behind them."""

import asyncio

import faust

from benchmarks.peers.job import PUBLISH_BATCH_BYTES_MAX, Place, answer

TAKEN_MAX = 1_000
TAKE_WITHIN_S = 0.05

place = Place.from_environment()
app = faust.App(
    place.group_id,
    broker=f"kafka://{place.bootstrap_servers}",
    consumer_auto_offset_reset="earliest",
    producer_acks=-1,
    producer_max_batch_size=PUBLISH_BATCH_BYTES_MAX,
    topic_disable_leader=True,
    web_enabled=False,
    value_serializer="raw",
    key_serializer="raw",
)
requests = app.topic(place.request_topic, key_type=bytes, value_type=bytes, value_serializer="raw")
results = app.topic(place.result_topic, key_type=bytes, value_type=bytes, value_serializer="raw")


@app.agent(requests)
async def handle(stream: faust.StreamT[bytes]) -> None:
    async for values in stream.take(TAKEN_MAX, within=TAKE_WITHIN_S):
        answers = [answer(value) for value in values]
        await asyncio.gather(*[await results.send(key=key, value=value) for key, value in answers])


if __name__ == "__main__":
    app.main()
