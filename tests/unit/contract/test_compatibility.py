"""No change breaks those who rely on the contract: what producers may send, and what readers find.

The baseline is the contract as it was first published. A change that breaks it is a new contract, with topics of its own.
"""

import copy
import json
from typing import Any

import pytest

from consumer.contract import document
from docs.generate import DOCS
from tests.support.compatibility import refused

Schema = dict[str, Any]


def baseline(name: str) -> Schema:
    schema: Schema = json.loads((DOCS / "schemas" / "baseline" / f"{name}.json").read_text())
    return schema


def current(name: Any) -> Schema:
    return document(name, request_topic="a", result_topic="b", dead_letter_topic="c")


def test_whatever_a_producer_may_send_is_still_taken() -> None:
    assert refused(baseline("request"), current("request")) == []


@pytest.mark.parametrize("name", ["response", "dead-letter"])
def test_whatever_is_written_is_what_readers_expect(name: str) -> None:
    assert refused(current(name), baseline(name)) == []


def test_a_request_that_must_have_more_breaks_producers() -> None:
    stricter = copy.deepcopy(baseline("request"))
    stricter["properties"]["priority"] = {"type": "integer"}
    stricter["required"].append("priority")
    stricter["properties"]["batchid"]["maxLength"] = 100
    assert refused(baseline("request"), stricter) == ["priority: need not have been there", "batchid: must be shorter"]


def test_an_answer_that_lacks_a_member_breaks_readers() -> None:
    poorer = copy.deepcopy(baseline("response"))
    del poorer["properties"]["started_at"]
    poorer["required"].remove("started_at")
    assert refused(poorer, baseline("response")) == ["started_at: need not have been there"]


def test_a_new_code_breaks_readers_who_know_all_of_them() -> None:
    richer = copy.deepcopy(baseline("response"))
    richer["$defs"]["Code"]["enum"].append("bored")
    assert refused(richer, baseline("response")) == ["error.code: no longer ['bored']"]


def test_sums_of_another_type_break_readers() -> None:
    other = copy.deepcopy(baseline("response"))
    other["properties"]["response"]["anyOf"][0]["items"]["type"] = "string"
    assert refused(other, baseline("response")) == ["response[]: type was string, is integer"]


def test_members_that_are_new_and_may_be_ignored_break_nobody() -> None:
    richer = copy.deepcopy(baseline("response"))
    richer["properties"]["worker"] = {"type": "string"}
    assert refused(richer, baseline("response")) == []


def test_words_without_a_rule_are_not_waved_through() -> None:
    with pytest.raises(ValueError, match="pattern"):
        refused({"pattern": "a"}, {})
