"""What a worker makes of a chunk: records out of their batches, the work, and the answers in batches again."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from consumer.chunk import Chunk, Processed, Record
from consumer.wire.records import Message, Packing, decode, encode
from domain.batch import Limits, Outcomes

PASSED_ON = frozenset({"traceparent", "tracestate", "correlation-id"})

Process = Callable[[Sequence[bytes | None], Limits], Outcomes]


class Form(NamedTuple):
    """What answers look like on the wire: whether failed batches have one, and how they are put into record batches."""

    reply_to_failed: bool
    packing: Packing


def answer(chunk: Chunk, process: Process, limits: Limits, form: Form) -> Processed:
    """Do *process* with the records of *chunk*. This is what workers are asked for.

    Raises:
        MemoryError: One of its batches is too big for this worker.
    """
    records = decode(chunk)
    return pack(chunk, records, process([record.value for record in records], limits), form)


def pack(chunk: Chunk, records: Sequence[Record], outcomes: Outcomes, form: Form) -> Processed:
    """The *outcomes* of its *records*, as they are to be published."""
    if not form.reply_to_failed:
        for place in outcomes.rejections:
            outcomes.answers[place] = None
    answers = encode(_answers(chunk, records, outcomes), form.packing)
    rejections = {records[place].offset: rejection for place, rejection in outcomes.rejections.items()}
    return Processed(len(records), outcomes.integers, answers, rejections)


def _answers(chunk: Chunk, records: Sequence[Record], outcomes: Outcomes) -> Iterator[Message]:
    """The answers, in order: keyed as the request or by batchid, and marked with where the request stands."""
    source = f"{chunk.topic}/{chunk.partition}/%d".encode()
    for record, batchid, answer in zip(records, outcomes.batchids, outcomes.answers, strict=True):
        if answer is not None:
            key = (batchid or "").encode() if record.key is None else record.key
            passed_on = [header for header in record.headers if header[0] in PASSED_ON] if record.headers else ()
            yield key, answer, [("source", source % record.offset), *passed_on], None
