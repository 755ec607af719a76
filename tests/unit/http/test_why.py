"""Why, over HTTP, of an instance that stands still."""

import json

from tests.support.http import serving
from tests.support.instance import FakeInstance


async def test_why_is_answered_as_text_or_as_json() -> None:
    async with serving(FakeInstance()) as client:
        text = await client.get("/why")
        told = (await client.get("/why", headers={"Accept": "application/json"})).json()
    assert text.headers["content-type"].startswith("text/plain")
    assert "worker 41: at 3/10-19 for 7.000 s" in text.text.splitlines()
    assert [worker["pid"] for worker in told["workers"]] == [41, 42]
    assert "secret" not in text.text + json.dumps(told)
