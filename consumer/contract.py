"""The contract as documents: JSON Schemas of what is sent and answered, and an AsyncAPI 3 document of the topics.

They are made from the models, which remain the contract: where a schema cannot say what a model demands, its
descriptions do.
"""

from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel

from consumer import dead_letter
from domain.batch import Code, Request, Response

Schema = dict[str, Any]
Document = Literal["request", "response", "dead-letter", "asyncapi"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What each header of a dead letter says. Values are UTF-8 text.
LETTER_HEADERS = {
    dead_letter.REASON: "Why there are no sums: a code of the contract.",
    dead_letter.MESSAGE: "The same in a sentence, which never quotes the request.",
    dead_letter.DETAILS: "A JSON list of the request's faults, each with `path` and `message`; more than a few are cut off.",
    dead_letter.TOPIC: "Where the request stood: its topic,",
    dead_letter.PARTITION: "its partition,",
    dead_letter.OFFSET: "and its offset.",
    dead_letter.FAILED_AT: "When it was given up: RFC 3339, UTC.",
    dead_letter.ATTEMPTS: "After how many attempts.",
    dead_letter.SERVICE: "By whom: name and version.",
    dead_letter.EXIT: "How its worker ended: the signal's name, or the exit code. Only if it died or was killed.",
    dead_letter.ELAPSED: "How long the last attempt took, in milliseconds. Only if its worker died or was killed.",
}
ALWAYS_THERE = [name for name in LETTER_HEADERS if name not in {dead_letter.EXIT, dead_letter.ELAPSED}]
PASSED_ON = {
    "traceparent": "W3C Trace Context; it is passed on to the answer, where the trace is continued if the service sends spans.",
    "tracestate": "W3C Trace Context; it is passed on to the answer.",
    "correlation-id": "Whatever the caller likes; it is passed on to the answer.",
}
SOURCE = "The request: `topic/partition/offset`. The same for every redelivery, so that a reader can drop duplicates."

# Examples by name: what is sent, and what is answered. They are run as tests.
TIMES = {"started_at": "2026-01-31T09:30:00.123456Z", "completed_at": "2026-01-31T09:30:00.123460Z"}
EXAMPLES: dict[str, tuple[Schema, Schema]] = {
    "two lists": (
        {"batchid": "id0101", "payload": [[1, 2], [3, 4]]},
        {"batchid": "id0101", "response": [3, 7], "status": "complete", **TIMES},
    ),
    "empty lists": (
        {"batchid": "id0102", "payload": [[], [5]]},
        {"batchid": "id0102", "response": [0, 5], "status": "complete", **TIMES},
    ),
    "an integer larger than any machine's": (
        {"batchid": "id0103", "payload": [[2**64, 1]]},
        {"batchid": "id0103", "response": [2**64 + 1], "status": "complete", **TIMES},
    ),
    "not an integer": (
        {"batchid": "id0104", "payload": [[1, "2"]]},
        {
            "batchid": "id0104",
            "response": None,
            "status": "failed",
            **TIMES,
            "error": {
                "code": "invalid_request",
                "message": "the request has 1 fault",
                "details": [{"path": "payload.0.1", "message": "must be an integer"}],
            },
        },
    ),
}


def document(name: Document, *, request_topic: str, result_topic: str, dead_letter_topic: str) -> Schema:
    """The document called *name*, for topics with these names."""
    match name:
        case "request":
            return _schema(Request)
        case "response":
            return _schema(Response)
        case "dead-letter":
            return {"$schema": DIALECT, **_letter_headers()}
        case "asyncapi":
            return _asyncapi(request_topic, result_topic, dead_letter_topic)


def _schema(model: type[BaseModel]) -> Schema:
    return {"$schema": DIALECT, **model.model_json_schema(mode="serialization")}


def _letter_headers() -> Schema:
    headers: dict[str, Schema] = {name: _text(says) for name, says in LETTER_HEADERS.items()}
    headers[dead_letter.REASON]["enum"] = [str(code) for code in Code]
    return {
        "title": "DeadLetterHeaders",
        "description": "The request's own headers come first, and these behind them.",
        "type": "object",
        "properties": headers,
        "required": ALWAYS_THERE,
    }


def _asyncapi(request_topic: str, result_topic: str, dead_letter_topic: str) -> Schema:
    channels = {
        "requests": ("request", request_topic, "What is to be summed."),
        "results": ("result", result_topic, "The answers; those to one request partition stand in request order."),
        "deadLetters": ("deadLetter", dead_letter_topic, "Requests that could not be processed, bit for bit."),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "batchsum",
            "version": version("batchsum"),
            "description": "Sums batches of integer lists that come by Kafka: one outcome for each request, and none is lost.",
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": topic,
                "description": says,
                "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            }
            for name, (message, topic, says) in channels.items()
        },
        "operations": {
            "receiveRequest": {
                "action": "receive",
                "channel": {"$ref": "#/channels/requests"},
                "summary": "Take a batch, validate it, and sum its lists.",
                "reply": {"channel": {"$ref": "#/channels/results"}},
            },
            "sendResult": {
                "action": "send",
                "channel": {"$ref": "#/channels/results"},
                "summary": "Answer a request: with its sums, or with the error for which there are none.",
            },
            "sendDeadLetter": {
                "action": "send",
                "channel": {"$ref": "#/channels/deadLetters"},
                "summary": "Keep a request that could not be processed.",
            },
        },
        "components": {"messages": _messages(), "schemas": _components()},
    }


def _messages() -> Schema:
    return {
        "request": {
            "summary": "One batch to be summed.",
            "headers": _headers(PASSED_ON),
            "payload": {"$ref": "#/components/schemas/Request"},
            "bindings": _key(
                "Whatever the caller likes; the answer has the same. Requests with one key are answered in order."
            ),
            "examples": [{"name": name, "payload": request} for name, (request, _) in EXAMPLES.items()],
        },
        "result": {
            "summary": "The answer to one request.",
            "headers": _headers({"source": SOURCE, **PASSED_ON}, required=["source"]),
            "payload": {"$ref": "#/components/schemas/Response"},
            "bindings": _key("That of the request, or the batchid where it has none."),
            "examples": [
                {"name": name, "headers": {"source": f"batch-requests/0/{number}"}, "payload": response}
                for number, (name, (_, response)) in enumerate(EXAMPLES.items())
            ],
        },
        "deadLetter": {
            "summary": "A request that could not be processed, and why.",
            "contentType": "application/octet-stream",
            "headers": _letter_headers(),
            "payload": {"description": "The value of the request, whatever it is; null where it was null."},
            "bindings": _key("That of the request."),
        },
    }


def _components() -> Schema:
    """The models and what they are made of, side by side, as AsyncAPI wants them."""
    parts: Schema = {}
    for model in (Request, Response):
        schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        parts |= schema.pop("$defs", {})
        parts[model.__name__] = schema
    return parts


def _headers(says: dict[str, str], *, required: list[str] | None = None) -> Schema:
    headers: Schema = {"type": "object", "properties": {name: _text(text) for name, text in says.items()}}
    return headers | ({"required": required} if required else {})


def _key(says: str) -> Schema:
    return {"kafka": {"key": _text(says), "bindingVersion": "0.5.0"}}


def _text(says: str) -> Schema:
    return {"type": "string", "description": says}
