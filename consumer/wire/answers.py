"""What a worker makes of a chunk: records out of their batches, the work, and the answers in batches again."""

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from consumer.chunk import Chunk, Encoded, Processed, Record
from consumer.wire import trace
from consumer.wire.packing import Packing, batches, block, header
from consumer.wire.records import decode
from domain.batch import Limits, Outcomes

PASSED_ON = frozenset({"traceparent", "tracestate", "correlation-id"})

Process = Callable[[Sequence[bytes | None], Limits], Outcomes]


class Form(NamedTuple):
    """What answers look like on the wire: whether failed batches have one, and how they are put into record batches.

    `traced` is the group with whose spans answers continue the traces of their requests; empty: there are no spans, and
    what is traced is passed on as it is.
    """

    reply_to_failed: bool
    packing: Packing
    traced: str = ""


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
    traced = _traced(records) if form.traced else {}
    answers = _answers(chunk, records, outcomes, _continued(chunk, traced, form.traced), form.packing)
    rejections = {records[place].offset: rejection for place, rejection in outcomes.rejections.items()}
    return Processed(len(records), outcomes.integers, answers, rejections, traced)


def source(chunk: Chunk) -> bytes:
    """Where a request of *chunk* stands, as answers name it, with `%d` for its offset."""
    return f"{chunk.topic}/{chunk.partition}/%d".encode()


def _traced(records: Sequence[Record]) -> dict[int, bytes]:
    """The traceparent of each request that is traced, by its offset."""
    found = ((record.offset, trace.sampled(record.headers)) for record in records if record.headers)
    return {offset: traceparent for offset, traceparent in found if traceparent}


def _continued(chunk: Chunk, traced: Mapping[int, bytes], group_id: str) -> dict[int, bytes]:
    """The traceparent of the answer to each request that is *traced*, by the request's offset."""
    place = source(chunk)
    return {
        offset: trace.continued(traceparent, trace.span_id(group_id, place % offset))
        for offset, traceparent in traced.items()
    }


def _answers(
    chunk: Chunk, records: Sequence[Record], outcomes: Outcomes, continued: Mapping[int, bytes], packing: Packing
) -> list[Encoded]:
    """The answers, in order: keyed as the request or by batchid, and marked with where the request stands."""
    batchids, answers = outcomes.batchids, outcomes.answers
    if outcomes.rejections:
        there = [answer is not None for answer in answers]
        records, batchids, answers = (
            [*compress(records, there)],
            [*compress(batchids, there)],
            [*compress(answers, there)],
        )
    keys = [
        (batchid or "").encode() if record.key is None else record.key
        for record, batchid in zip(records, batchids, strict=True)
    ]
    return batches(keys, answers, _headers(chunk, records, continued), packing)


def _headers(chunk: Chunk, records: Sequence[Record], continued: Mapping[int, bytes]) -> list[bytes]:
    """The headers of the answer to each of *records*: where that stands, and what is passed on."""
    place, first, last = source(chunk), b"%d" % chunk.first_offset, b"%d" % (chunk.next_offset - 1)
    if len(first) < len(last):
        return [
            block([header("source", place % record.offset), *_passed_on(record, continued.get(record.offset))])
            for record in records
        ]
    # As a rule all offsets have as many digits, so that one form fits all; and nothing is passed on.
    mark = header("source", place % chunk.first_offset).removesuffix(first) + b"%d"
    alone = block([mark])
    return [
        block([mark % record.offset, *passed_on])
        if record.headers and (passed_on := _passed_on(record, continued.get(record.offset)))
        else alone % record.offset
        for record in records
    ]


def _passed_on(record: Record, traceparent: bytes | None) -> list[bytes]:
    """The headers that an answer takes over from its request, with *traceparent* in place of the request's if there is one."""
    return [
        header(name, traceparent if traceparent is not None and name == trace.HEADER else value)
        for name, value in record.headers
        if name in PASSED_ON
    ]
