# noqa: INP001 - a script by itself
"""Judges what kcat -J read from the result topic: the example of the contract, sent with a key and without one."""

import json
import re
import sys

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

records = [json.loads(line) for line in sys.stdin]
answers = [json.loads(record["payload"]) for record in records]
keys = [record["key"] for record in records]
sources = [dict(zip(record["headers"][::2], record["headers"][1::2], strict=True))["source"] for record in records]

if keys != ["customer-7", "id0101"]:
    sys.exit(f"keys: {keys}")
if sources != ["batch-requests/0/0", "batch-requests/0/1"]:
    sys.exit(f"sources: {sources}")
for answer in answers:
    times = [answer.pop("started_at"), answer.pop("completed_at")]
    if answer != {"batchid": "id0101", "response": [3, 7], "status": "complete"} or not all(
        map(TIMESTAMP.fullmatch, times)
    ):
        sys.exit(f"answer: {answer}, times: {times}")
