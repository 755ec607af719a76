"""The request/response view: requests of the contract in, its answers out, and a problem document for everything else."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx
import jsonschema
import pytest

from consumer.failures import WorkersFailing
from domain.batch import Outcome
from tests.support.http import serving
from tests.support.instance import FakeInstance
from tests.support.waiting import wait_until

REQUEST = {"batchid": "id0101", "payload": [[1, 2], [3, 4]]}
JSON = {"content-type": "application/json"}


async def test_a_request_of_the_contract_gets_the_answer_of_the_contract() -> None:
    instance = FakeInstance()
    async with serving(instance) as client:
        answer = await client.post("/process_batch", json=REQUEST)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert (told["batchid"], told["response"], told["status"]) == ("id0101", [3, 7], "complete")


async def test_the_body_goes_to_a_worker_as_it_is() -> None:
    instance = FakeInstance()
    body = b' {"payload":[[1]],  "batchid":"as it is"} '
    async with serving(instance) as client:
        await client.post("/process_batch", content=body, headers=JSON)
    assert instance.processed == [body]


@pytest.mark.parametrize("path", ["/add_numbers", "/add_number"])
async def test_numbers_are_added(path: str) -> None:
    async with serving(FakeInstance()) as client:
        answer = await client.post(path, json={"numbers": [1, 2, 3, 4]})
    assert (answer.status_code, answer.json()) == (200, {"result": 10})


async def test_a_sum_larger_than_any_machine_s_integer_is_exact() -> None:
    async with serving(FakeInstance()) as client:
        answer = await client.post("/add_numbers", json={"numbers": [2**70, 1]})
    assert answer.text == f'{{"result":{2**70 + 1}}}'


async def test_a_sum_of_more_digits_than_an_integer_may_be_written_with_is_exact() -> None:
    nines = "9" * 4300
    async with serving(FakeInstance()) as client:
        answer = await client.post("/add_numbers", content=f'{{"numbers": [{nines}, 1]}}', headers=JSON)
    assert (answer.status_code, answer.text) == (200, f'{{"result":1{"0" * 4300}}}')


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "paths"),
    [
        ("/process_batch", b"no JSON", 400, "invalid_json", []),
        ("/process_batch", b"", 400, "invalid_json", []),
        ("/process_batch", b'{"batchid": "a"}', 422, "invalid_request", ["payload"]),
        ("/process_batch", b'{"batchid": "a", "payload": [[1, "2"]]}', 422, "invalid_request", ["payload.0.1"]),
        ("/add_numbers", b"no JSON", 400, "invalid_json", []),
        ("/add_numbers", b'{"numbers": [1, true]}', 422, "invalid_request", ["numbers.1"]),
        ("/add_numbers", b"[]", 422, "invalid_request", [""]),
    ],
)
async def test_what_is_wrong_is_told_by_code_and_path(
    path: str, body: bytes, status: int, code: str, paths: list[str]
) -> None:
    async with serving(FakeInstance()) as client:
        answer = await client.post(path, content=body, headers=JSON)
    assert_is_problem(answer, status)
    assert answer.json()["code"] == code
    assert [detail["path"] for detail in answer.json().get("details", [])] == paths


async def test_a_body_that_is_too_large_is_refused_while_it_comes() -> None:
    instance = FakeInstance()

    async def more_than_may_be() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 1024

    async with serving(instance, http_body_bytes_max=10_000) as client:
        answer = await client.post("/process_batch", content=more_than_may_be(), headers=JSON)
    assert_is_problem(answer, 413)
    assert not instance.processed


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {}])
async def test_what_is_not_json_by_its_own_account_is_refused(headers: dict[str, str]) -> None:
    async with serving(FakeInstance()) as client:
        answer = await client.post("/process_batch", content=json.dumps(REQUEST).encode(), headers=headers)
    assert_is_problem(answer, 415)


async def test_when_as_many_are_in_flight_as_may_be_the_next_is_told_to_come_back() -> None:
    instance = FakeInstance()
    instance.may_answer.clear()
    async with serving(instance, http_requests_max=1) as client:
        first = asyncio.create_task(client.post("/process_batch", json=REQUEST))
        await wait_until(lambda: instance.processing == 1, timeout_s=10)
        second = await client.post("/process_batch", json=REQUEST)
        instance.may_answer.set()
        assert (await first).status_code == 200
        third = await client.post("/process_batch", json=REQUEST)
    assert_is_problem(second, 503)
    assert second.headers["retry-after"] == "1"
    assert third.status_code == 200


async def test_an_answer_that_does_not_come_in_time_is_not_waited_for() -> None:
    instance = FakeInstance()
    instance.may_answer.clear()
    async with serving(instance, http_request_timeout_ms=100) as client:
        assert_is_problem(await client.post("/process_batch", json=REQUEST), 503)


async def test_a_body_that_does_not_come_is_not_waited_for_either() -> None:
    async with serving(FakeInstance(), http_request_timeout_ms=100, http_requests_max=1) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(
            b"POST /process_batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
        )
        status = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        assert status.startswith(b"HTTP/1.1 503 ")
        assert (await client.post("/process_batch", json=REQUEST)).status_code == 200


async def test_an_instance_that_is_stopping_takes_no_more() -> None:
    instance = FakeInstance()
    instance.health.ready["draining"] = "told to stop"
    async with serving(instance) as client:
        assert_is_problem(await client.post("/process_batch", json=REQUEST), 503)
    assert not instance.processed


async def test_workers_that_fail_are_no_fault_of_the_caller() -> None:
    class Failing(FakeInstance):
        async def process_batch(self, value: bytes) -> Outcome:
            raise WorkersFailing("they do not start")

    async with serving(Failing()) as client:
        assert_is_problem(await client.post("/process_batch", json=REQUEST), 503)


async def test_the_view_can_be_left_out() -> None:
    async with serving(FakeInstance(), http_batches_enabled=False) as client:
        assert_is_problem(await client.post("/process_batch", json=REQUEST), 404)
        assert (await client.get("/livez")).status_code == 200


async def test_the_wrong_method_is_told() -> None:
    async with serving(FakeInstance()) as client:
        assert_is_problem(await client.get("/process_batch"), 405)


async def test_the_openapi_document_has_the_contract() -> None:
    async with serving(FakeInstance()) as client:
        document = (await client.get("/openapi.json")).json()
    described = document["paths"]["/process_batch"]["post"]
    assert described["requestBody"]["content"]["application/json"]["example"] == REQUEST
    assert {"200", "400", "413", "415", "422", "503"} <= described["responses"].keys()


@pytest.mark.parametrize("path", ["/process_batch", "/add_numbers", "/add_number"])
async def test_the_example_of_the_openapi_document_is_answered_as_it_says(path: str) -> None:
    async with serving(FakeInstance()) as client:
        described = (await client.get("/openapi.json")).json()["paths"][path]["post"]
        answer = await client.post(path, json=described["requestBody"]["content"]["application/json"]["example"])
    said = described["responses"]["200"]["content"]["application/json"]["example"]
    assert without_times(answer.json()) == without_times(said)
    assert answer.json().keys() == said.keys()


async def test_every_example_of_the_openapi_document_is_what_its_schema_says() -> None:
    async with serving(FakeInstance()) as client:
        document = (await client.get("/openapi.json")).json()
    contents = [
        content
        for operation in (operation for methods in document["paths"].values() for operation in methods.values())
        for described in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in described.get("content", {}).values()
        if "example" in content
    ]
    for content in contents:
        jsonschema.validate(content["example"], content["schema"] | {"components": document["components"]})
    assert len(contents) == 21, "of three routes: what is sent, and six answers"


async def test_all_that_the_openapi_document_refers_to_is_in_it() -> None:
    async with serving(FakeInstance()) as client:
        told = await client.get("/openapi.json")
    named = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', told.text))
    assert {"Request", "Response", "Problem", "Numbers", "Total", "Health", "Why"} <= named
    assert named <= told.json()["components"]["schemas"].keys()
    assert told.text.count('"$ref"') == len(re.findall(r'"\$ref":"#/components/schemas/\w+"', told.text))


def without_times(answer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in answer.items() if not name.endswith("_at")}


def assert_is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
