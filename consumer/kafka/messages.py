"""What is published for a chunk besides the answers that its worker made: dead letters, and what stands in for an answer."""

from collections.abc import Awaitable, Callable

import structlog

from consumer import dead_letter
from consumer.chunk import Encoded, Finished, Record
from consumer.wire.answers import Form
from consumer.wire.packing import Message, encode
from consumer.wire.records import decode, messages
from domain.batch import Code, Rejection

log = structlog.get_logger(__name__)

# Makes the rejection of a request, with its failed answer, for a reason that was found outside of the worker.
Reject = Callable[[bytes | None, Code, str], Awaitable[Rejection]]


def dead_letters(finished: Finished, service: str) -> list[Message]:
    """The dead letters of a chunk, in order: the requests as they came, with the reasons behind their headers."""
    chunk, rejections = finished.chunk, finished.processed.rejections
    return [
        (
            record.key,
            record.value,
            dead_letter.headers(chunk.topic, chunk.partition, record, rejections[record.offset], service=service),
            record.timestamp,
        )
        for record in decode(chunk)
        if record.offset in rejections
    ]


async def instead(finished: Finished, refused: Encoded, *, reject: Reject, form: Form) -> list[Encoded]:
    """What to publish in place of an answer that the result topic refuses as too large: as a rule the failed one.

    If it was a failed one already, nothing: the dead letter tells what has become of the request.
    """
    ((key, _, headers, made_at),) = messages(refused)
    chunk, processed = finished
    request = _request_of(headers, decode(chunk))
    if request.offset in processed.rejections:
        return []
    message = "the result topic refuses the answer as too large"
    rejection = await reject(request.value, Code.RESULT_TOO_LARGE, message)
    processed.rejections[request.offset] = rejection
    if rejection.answer is None or not form.reply_to_failed:
        return []
    return encode([(key, rejection.answer, headers, made_at)], form.packing)


def _request_of(headers: list[tuple[str, bytes]], requests: list[Record]) -> Record:
    """The one that an answer with these *headers* belongs to."""
    source = dict(headers[:1])["source"]
    offset = int(source.rpartition(b"/")[2])
    return next(request for request in requests if request.offset == offset)


def log_dead_letters(finished: Finished) -> None:
    """One warning for each dead letter, with its coordinates and its reason but nothing of its payload."""
    chunk, processed = finished
    for offset in sorted(processed.rejections):
        rejection = processed.rejections[offset]
        log.warning(
            "dead letter",
            topic=chunk.topic,
            partition=chunk.partition,
            offset=offset,
            batchid=rejection.batchid,
            reason=rejection.code,
            message=rejection.message,
        )
