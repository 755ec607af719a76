"""The command line with a broker."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined] # its public name, which it does not list

from tests.support.brokers import Broker, Topics
from tests.support.brokers.topics import administrator
from tests.support.command_line import TIMEOUT_S, CommandLine
from tests.support.in_process import running_service
from tests.support.kafka import settings_for

EXAMPLE = '{"batchid": "id0101", "payload": [[1, 2], [3, 4]]}'


@pytest.fixture
def batchsum(broker: Broker, topics: Topics) -> CommandLine:
    return CommandLine(bootstrap_servers=broker.bootstrap_servers, **topics._asdict())


def test_submitting_tells_where_each_request_went(batchsum: CommandLine, topics: Topics) -> None:
    ended = batchsum("submit", "-", "--json", given=f"{EXAMPLE}\n\n{EXAMPLE}\n")
    assert ended.returncode == 0
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["request"] for line in lines] == [1, 2]
    first, second = (line["source"].rsplit("/", 1) for line in lines)
    assert first[0].startswith(f"{topics.request_topic}/")
    assert (first[0], int(first[1]) + 1) == (second[0], int(second[1])), "one batchid, one partition, one order"


async def test_waiting_prints_the_answers_in_the_order_of_the_requests(
    batchsum: CommandLine, broker: Broker, topics: Topics, tmp_path: Path
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(f'{{"batchid": "b{number}", "payload": [[{number}, 1]]}}\n' for number in range(200)))
    async with running_service(settings_for(broker, topics)):
        ended = await batchsum.run("submit", str(file), "--wait")
    assert ended.returncode == 0
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [answer["batchid"] for answer in answers] == [f"b{number}" for number in range(200)]
    assert [answer["response"] for answer in answers] == [[number + 1] for number in range(200)]
    assert ended.stderr == "200 complete, 0 failed, 0 missing\n"


async def test_waiting_ends_non_zero_if_a_batch_failed(batchsum: CommandLine, broker: Broker, topics: Topics) -> None:
    bad = '{"batchid": "bad", "payload": [[1.5]]}'
    async with running_service(settings_for(broker, topics)):
        ended = await batchsum.run("submit", "-", "--wait", given=f"{EXAMPLE}\n{bad}\nnonsense\n")
    assert ended.returncode == 8
    assert [json.loads(line)["status"] for line in ended.stdout.splitlines()] == ["complete", "failed"]
    no_answer, counts = ended.stderr.splitlines()
    assert no_answer.startswith("request 3 (")
    assert ") has no answer: invalid_json: " in no_answer
    assert counts == "1 complete, 2 failed, 0 missing"


async def test_waiting_tells_a_program_what_became_of_each_request(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    async with running_service(settings_for(broker, topics)):
        ended = await batchsum.run("submit", "-", "--wait", "--json", given=f"{EXAMPLE}\nnonsense\n")
    good, bad = (json.loads(line) for line in ended.stdout.splitlines())
    assert (good["request"], good["status"], good["dead_letter"]) == (1, "complete", None)
    assert json.loads(good["answer"]["value"])["response"] == [3, 7]
    assert good["answer"]["source"] == good["source"]
    assert (bad["request"], bad["status"], bad["answer"]) == (2, "failed", None)
    assert bad["dead_letter"]["value"] == "nonsense"
    assert bad["dead_letter"]["headers"]["dlq.reason"] == "invalid_json"


def test_waiting_ends_non_zero_if_nobody_answers(batchsum: CommandLine) -> None:
    ended = batchsum("submit", "--generate", "2", "--wait", "--timeout", "0.5")
    assert ended.returncode == 8
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1] == "0 complete, 0 failed, 2 missing"


async def test_a_line_is_answered_before_the_next_one_is_written(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    service = running_service(settings_for(broker, topics))
    async with service, batchsum.started("submit", "-", "--wait") as submitting:
        assert submitting.stdin
        assert submitting.stdout
        for number in (1, 2):
            submitting.stdin.write(f'{{"batchid": "b{number}", "payload": [[{number}]]}}\n'.encode())
            line = await asyncio.wait_for(submitting.stdout.readline(), TIMEOUT_S)
            assert json.loads(line)["response"] == [number]
        submitting.stdin.close()
        assert await asyncio.wait_for(submitting.wait(), TIMEOUT_S) == 0


async def test_results_are_printed_as_they_were_published(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    assert batchsum("results").stdout == ""
    async with running_service(settings_for(broker, topics)):
        answers = (await batchsum.run("submit", "--generate", "20", "--wait")).stdout
    printed = batchsum("results").stdout
    assert sorted(printed.splitlines()) == sorted(answers.splitlines())
    enveloped = [json.loads(line) for line in batchsum("results", "--json").stdout.splitlines()]
    assert sorted(outcome["value"] for outcome in enveloped) == sorted(printed.splitlines())
    assert all(outcome["source"].startswith(topics.request_topic) for outcome in enveloped)


async def test_results_can_be_followed_until_interrupted(batchsum: CommandLine, broker: Broker, topics: Topics) -> None:
    service = running_service(settings_for(broker, topics))
    async with service, batchsum.started("results", "--follow", "--from", "earliest") as following:
        assert following.stdout
        ended = await batchsum.run("submit", "-", "--wait", given=EXAMPLE)
        line = await asyncio.wait_for(following.stdout.readline(), TIMEOUT_S)
        assert line.decode() == ended.stdout
        following.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(following.wait(), TIMEOUT_S) == 130


@pytest.mark.real_broker("it makes every topic that it is asked about")
def test_a_topic_that_is_not_there_is_told_with_what_to_do(broker: Broker) -> None:
    lost = CommandLine(bootstrap_servers=broker.bootstrap_servers, request_topic="nowhere", connect_timeout_ms="2000")
    ended = lost("submit", "-", given=EXAMPLE)
    assert ended.returncode == 3
    assert ended.stderr == "no such topic: nowhere; `batchsum topics create` makes them\n"


@pytest.mark.real_broker("it takes no admin requests")
def test_topics_are_created_once_and_left_alone_after_that(broker: Broker, topics: Topics) -> None:
    names = [f"{topics.request_topic}-{kind}" for kind in ("made-first", "made-second", "made-third")]
    variables = dict(zip(("request_topic", "result_topic", "dead_letter_topic"), names, strict=True))
    batchsum = CommandLine(bootstrap_servers=broker.bootstrap_servers, **variables)
    first = batchsum("topics", "create", "--partitions", "3")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [f"created {name}, 3 partitions" for name in names]
    second = batchsum("topics", "create", "--partitions", "5", "--json")
    assert second.returncode == 0
    assert [json.loads(line) for line in second.stdout.splitlines()] == [
        {"name": name, "partitions": 3, "created": False} for name in names
    ]


@pytest.mark.real_broker("it takes no admin requests")
def test_dead_letters_are_kept_however_old_their_requests_are(broker: Broker, topics: Topics) -> None:
    name = f"{topics.dead_letter_topic}-made"
    batchsum = CommandLine(
        bootstrap_servers=broker.bootstrap_servers, **topics._replace(dead_letter_topic=name)._asdict()
    )
    assert batchsum("topics", "create").returncode == 0
    admin = administrator(broker.bootstrap_servers)
    (described,) = admin.describe_configs([ConfigResource("topic", name)]).values()
    assert described.result(timeout=20)["retention.ms"].value == "-1"


@pytest.mark.real_broker("it takes no admin requests")
def test_a_topic_that_the_broker_refuses_to_create_is_told(broker: Broker, topics: Topics) -> None:
    batchsum = CommandLine(bootstrap_servers=broker.bootstrap_servers, request_topic=f"{topics.request_topic}-refused")
    ended = batchsum("topics", "create", "--replication", "99")
    assert ended.returncode == 3
    assert f"topic {topics.request_topic}-refused cannot be created: " in ended.stderr


@pytest.mark.real_broker("it takes a request of any size")
def test_a_request_that_the_broker_refuses_is_told_by_its_number(batchsum: CommandLine) -> None:
    large = '{"batchid": "large", "payload": [[' + "1," * 700_000 + "1]]}"
    ended = batchsum("submit", "-", given=f"{EXAMPLE}\n{large}\n")
    assert ended.returncode == 8
    assert ended.stderr == "request 2 was not taken: larger than its topic allows; those before it were\n"


def test_the_demo_checks_every_sum_and_ends_well() -> None:
    ended = CommandLine()("demo", "--batches", "300")
    assert ended.returncode == 0, ended.stderr
    *_, throughput, verdict = ended.stdout.splitlines()
    assert throughput.startswith("301 batches of ")
    assert verdict == "309 requests checked: every sum and every dead letter is right."
    assert "[3, 7]" in ended.stdout
    for reason in ("invalid_json", "invalid_request", "empty_record"):
        assert f"\n{reason}\t" in ended.stdout


def test_the_demo_ends_non_zero_if_sums_are_missing() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.failing_demo"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 8
    assert "request 1: is failed, its sums were expected\n" in ended.stderr
    assert ended.stdout.endswith("are wrong or missing.\n")


@asynccontextmanager
async def embedded_instance(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `batchsum run --embedded` until it says that it has started."""
    command_line = CommandLine(workers="1", log_format="json")
    async with command_line.started("run", "--embedded", *arguments) as running:
        assert running.stdout
        while json.loads(await asyncio.wait_for(running.stdout.readline(), TIMEOUT_S))["event"] != "started":
            pass
        yield running


@pytest.fixture
def free_9092() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 9092))
        except OSError:
            pytest.skip("something listens on port 9092 of this machine")


@pytest.mark.usefixtures("free_9092")
async def test_an_embedded_broker_serves_clients_on_its_usual_port_and_sigterm_ends_it() -> None:
    async with embedded_instance() as running:
        ended = await CommandLine().run("submit", "-", "--wait", given=EXAMPLE)
        assert json.loads(ended.stdout)["response"] == [3, 7]
        second = await CommandLine(log_format="json").run("run", "--embedded")
        assert second.returncode == 3
        assert "localhost:9092 is taken" in json.loads(second.stdout.splitlines()[-1])["reason"]
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), TIMEOUT_S) == 0
