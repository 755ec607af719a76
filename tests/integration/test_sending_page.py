"""docs/sending.md: what its readers copy does what it says."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from domain.batch import Code, Limits
from domain.summation import process_chunk
from tests.support.brokers import Broker, Topics
from tests.support.brokers.jars import kafka_jars
from tests.support.in_process import running_service
from tests.support.kafka import read, settings_for

PAGE = (Path(__file__).parents[2] / "docs" / "sending.md").read_text("utf-8")
TIMEOUT_S = 60
NOBODY = "localhost:9092"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def placed(text: str, broker: Broker, topics: Topics) -> str:
    """What the page says, on the broker and the topics of this test."""
    assert NOBODY in text
    names = {
        "batch-requests": topics.request_topic,
        "batch-results": topics.result_topic,
        NOBODY: broker.bootstrap_servers,
    }
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)


def ran(*command: str | Path) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def test_the_python_program_sends_and_prints_each_answer_once(
    broker: Broker, topics: Topics, tmp_path: Path
) -> None:
    (program,) = blocks("python")
    file = tmp_path / "send.py"
    file.write_text(placed(program, broker, topics))
    async with running_service(settings_for(broker, topics)):
        printed = await asyncio.to_thread(ran, sys.executable, file)
    assert sorted(printed.splitlines()) == [
        "id0101 [3, 7]",
        "id0102 [0, 18446744073709551617]",
        "id0103 invalid_request [{'path': 'payload.0.1', 'message': 'must be an integer'}]",
    ]
    answers = [
        answer for partition in range(4) for answer in await read(broker, topics.result_topic, partition=partition)
    ]
    assert {(b"customer-7", "id0101"), (b"customer-7", "id0102"), (b"customer-8", "id0103")} == {
        (answer.key(), json.loads(answer.value() or b"")["batchid"]) for answer in answers
    }
    assert all(dict(answer.headers() or [])["correlation-id"] == b"order-4711" for answer in answers)


@pytest.mark.skipif(shutil.which("javac") is None, reason="there is no javac to compile it with")
async def test_the_java_program_sends_and_tells_the_source_of_the_answer(
    broker: Broker, topics: Topics, tmp_path: Path
) -> None:
    (program,) = blocks("java")
    file = tmp_path / "Send.java"
    file.write_text(placed(program, broker, topics))
    printed = await asyncio.to_thread(ran, "java", "-cp", f"{kafka_jars()}/*", file)
    (source,) = (line for line in printed.splitlines() if line.startswith(topics.request_topic))
    _, partition, offset = source.split("/")
    (sent,) = await read(broker, topics.request_topic, partition=int(partition))
    assert (sent.key(), sent.offset(), sent.headers()) == (
        b"customer-7",
        int(offset),
        [("correlation-id", b"order-4711")],
    )
    assert json.loads(sent.value() or b"") == {"batchid": "id0101", "payload": [[1, 2], [3, 4]]}


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
async def test_kcat_sends_and_shows_the_answer(broker: Broker, topics: Topics) -> None:
    send, receive = (
        line for line in placed(blocks("console")[0], broker, topics).splitlines() if line.startswith("$ ")
    )
    async with running_service(settings_for(broker, topics)):
        await asyncio.to_thread(ran, "bash", "-c", send.removeprefix("$ "))
        printed = await asyncio.to_thread(ran, "bash", "-c", receive.removeprefix("$ "))
    key, answer, headers = printed.strip().split("  ")
    assert (key, json.loads(answer)["response"]) == ("customer-7", [3, 7])
    assert headers.startswith(f"source={topics.request_topic}/")


def test_the_failed_answer_on_the_page_is_an_answer() -> None:
    (shown,) = (json.loads(block) for block in blocks("json"))
    (outcome,) = process_chunk([b'{"batchid": "id0103", "payload": [[1, "2"]]}'], Limits())
    answer = json.loads(outcome.answer or b"")
    assert list(answer) == list(shown)
    assert {**answer, "started_at": "…", "completed_at": "…"} == shown


def test_every_code_of_the_contract_is_on_the_page() -> None:
    assert {str(code) for code in Code} <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
