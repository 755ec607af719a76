"""The contract as documents: they say what the models say, and their examples are true."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from consumer import dead_letter
from consumer.contract import ALWAYS_THERE, EXAMPLES, LETTER_HEADERS
from docs.generate import DOCS, rendered
from domain.batch import Code, Limits, Rejection, Response
from domain.summation import process_chunk
from tests.support.records import HandmadeRecord

ASYNCAPI = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
TIMES = ("started_at", "completed_at")


@pytest.mark.parametrize("file", rendered(), ids=lambda file: file.name)
def test_a_document_is_what_the_models_make(file: Path) -> None:
    assert file.read_text() == rendered()[file], "run `make documents`"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_answered_as_it_says(name: str) -> None:
    request, promised = EXAMPLES[name]
    (outcome,) = process_chunk([json.dumps(request).encode()], Limits())
    answer = json.loads(outcome.answer or b"")
    assert {**answer, **{time: promised[time] for time in TIMES}} == promised
    assert list(answer) == list(promised)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_answer_is_as_its_schema_says(name: str) -> None:
    (outcome,) = process_chunk([json.dumps(EXAMPLES[name][0]).encode()], Limits())
    answer = json.loads(outcome.answer or b"")
    _validator("response").validate(answer)
    Response.model_validate_json(outcome.answer or b"")


def test_the_request_schema_refuses_what_the_models_refuse_but_for_what_its_description_says() -> None:
    validator = _validator("request")
    assert validator.is_valid(EXAMPLES["two lists"][0])
    assert not validator.is_valid(EXAMPLES["not an integer"][0])
    assert not validator.is_valid({"batchid": "", "payload": []})
    assert not validator.is_valid({"batchid": "x" * 257, "payload": []})
    assert not validator.is_valid({"batchid": "x"})
    assert validator.is_valid({"batchid": "x", "payload": [[1.0]]})  # so says JSON Schema
    assert "`1.0`" in validator.schema["properties"]["payload"]["description"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_asyncapi_document_are_these(name: str) -> None:
    messages = ASYNCAPI["components"]["messages"]
    for message, place in (("request", 0), ("result", 1)):
        examples = {example["name"]: example["payload"] for example in messages[message]["examples"]}
        assert examples[name] == EXAMPLES[name][place]


def test_every_header_of_a_dead_letter_is_described() -> None:
    usual = Rejection(Code.INVALID_JSON, "no JSON", (), None, None)
    killed = usual._replace(exit="SIGSEGV", elapsed_ms=12)
    assert _headers(killed) == list(LETTER_HEADERS)
    assert _headers(usual) == ALWAYS_THERE


def _headers(rejection: Rejection) -> list[str]:
    record = HandmadeRecord(offset=0, value=None)
    return [name for name, _ in dead_letter.headers("batch-requests", 0, record, rejection, service="batchsum")]


def _validator(name: str) -> Any:
    schema = json.loads((DOCS / "schemas" / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())
