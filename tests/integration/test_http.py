"""The HTTP port of an instance that works: a process of its own, on a real broker, under load."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.support.brokers import Broker
from tests.support.loaded import loaded_instance, state
from tests.support.records import request
from tests.support.waiting import POLL_S, patience

# The first test starts a broker and an instance.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

TIMEOUT_S = 60.0
JSON = {"content-type": "application/json"}
SCHEMATHESIS = Path(__file__).with_name("schemathesis.toml")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Of the instance."""
    async with loaded_instance(broker, tmp_path_factory.mktemp("http")) as client:
        yield client


async def until_it_has_done_more(client: httpx.AsyncClient) -> None:
    """Return when the instance has answered, and rejected, batches of the topic since this was called."""
    before: dict[str, float] = {}
    async with asyncio.timeout(TIMEOUT_S * patience()):
        while True:
            done = {
                name: await metric(client, name) for name in ("batchsum_results_total", "batchsum_rejections_total")
            }
            before = before or done
            if all(done[name] > before[name] for name in done):
                return
            await asyncio.sleep(POLL_S)


async def metric(client: httpx.AsyncClient, name: str) -> float:
    """What /metrics has by this name, summed over its labels."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@pytest.mark.parametrize(
    ("path", "checks"),
    [
        ("/livez", {"event_loop", "background"}),
        ("/readyz", {"group", "lanes", "pool", "outage", "draining"}),
    ],
)
async def test_it_is_alive_and_ready_by_every_check(client: httpx.AsyncClient, path: str, checks: set[str]) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": dict.fromkeys(checks, "ok")})


async def test_batches_of_many_callers_are_each_answered_with_their_own_sums(client: httpx.AsyncClient) -> None:
    asked_at = datetime.now(UTC)
    batches = [{"batchid": f"caller {number}", "payload": [[number, 1], [], [10**30]]} for number in range(12)]
    answers = await asyncio.gather(*(client.post("/process_batch", json=batch) for batch in batches))
    for number, answer in enumerate(answers):
        told = answer.json()
        assert answer.status_code == 200
        assert [*told] == ["batchid", "response", "status", "started_at", "completed_at"]
        assert (told["batchid"], told["response"]) == (f"caller {number}", [number + 1, 0, 10**30])
        began, ended = (datetime.fromisoformat(told[name]) for name in ("started_at", "completed_at"))
        assert asked_at <= began <= ended <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b'{"batchid": "a"', JSON, 400, "invalid_json"),
        (b" " * (1024 * 1024 + 1), JSON, 413, None),
        (request("a"), {"content-type": "text/plain"}, 415, None),
        (request("a", [[1, "2"]]), JSON, 422, "invalid_request"),
    ],
    ids=["no JSON", "too large", "another type", "no integers"],
)
async def test_what_is_no_batch_is_refused_with_a_problem(
    client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int, code: str | None
) -> None:
    answer = await client.post("/process_batch", content=body, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"], answer.json().get("code")) == (status, status, code)


@pytest.mark.parametrize("path", ["/add_numbers", "/add_number"])
async def test_numbers_are_added(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"numbers": [1, 2, 3, 4]})
    assert (answer.status_code, answer.json()) == (200, {"result": 10})


async def test_the_openapi_document_has_every_interface(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    asked = {"/process_batch", "/add_numbers", "/add_number", "/livez", "/readyz", "/metrics", "/why"}
    assert document["paths"].keys() == asked


@pytest.mark.parametrize(("path", "title"), [("/", "batchsum"), ("/docs", "batchsum: the HTTP port")])
async def test_both_pages_are_there(client: httpx.AsyncClient, path: str, title: str) -> None:
    page = await client.get(path)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<title>{title}</title>" in page.text


async def test_the_metrics_count_what_is_done_meanwhile(client: httpx.AsyncClient) -> None:
    names = ("records_total", "bytes_total", "chunk_records_count", "compute_seconds_sum", "publish_seconds_count")
    before = {name: await metric(client, f"batchsum_{name}") for name in names}
    await until_it_has_done_more(client)
    for name in names:
        assert await metric(client, f"batchsum_{name}") > before[name], name
    assert await metric(client, "batchsum_partitions") == 4
    assert await metric(client, "batchsum_ready") == 1


async def test_the_state_tells_of_every_lane_and_worker(client: httpx.AsyncClient) -> None:
    told = await state(client, lambda told: sum(told["history"]["rejections"]) > 0)
    assert [lane["partition"] for lane in told["lanes"]] == [0, 1, 2, 3]
    assert len(told["workers"]) == 2
    assert told["batches"] > told["rejections"] > 0
    assert sum(told["history"]["batches"]) > 0
    assert told["troubles"] == []


async def test_why_tells_of_them_too_with_their_stacks(client: httpx.AsyncClient) -> None:
    text = (await client.get("/why")).text
    told = (await client.get("/why", headers={"accept": "application/json"})).json()
    assert [f"lane {lane['partition']}:" in text for lane in told["lanes"]] == [True] * 4
    assert {str(worker["pid"]) for worker in told["workers"]} == told["worker_stacks"].keys()
    assert any("consumer/lane.py" in frame for task in told["tasks"] for frame in task["frames"])


async def test_events_tell_of_every_second_what_was_done_in_it(client: httpx.AsyncClient) -> None:
    told: list[dict[str, Any]] = []
    async with client.stream("GET", "/events") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line.removeprefix("data: ")))
            if len(told) > 1 and told[-1]["batches"] > told[0]["batches"]:
                break
    seconds = [event["second"] for event in told]
    assert seconds == sorted(set(seconds))
    assert [*told[0]["last_second"]] == ["batches", "rejections", "p50_ms", "p99_ms"]


@pytest.mark.timeout(600)
async def test_whatever_the_openapi_document_allows_or_forbids_is_answered_as_it_says(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    arguments = ("--config-file", SCHEMATHESIS, "run", "--no-color", f"{client.base_url}/openapi.json")
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *arguments),
        cwd=tmp_path,
        env=os.environ | {"NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await run.communicate()
    assert run.returncode == 0, told.decode()
