"""Dead letters on a broker: listed, shown, exported and replayed, bit for bit."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import Message, Producer

from tests.support.brokers import Broker, Topics
from tests.support.command_line import CommandLine
from tests.support.in_process import running_service
from tests.support.kafka import produce, read, settings_for
from tests.support.records import request
from tests.support.waiting import wait_until

TIMESTAMP_MS = int(time.time() * 1000) - 3_600_000  # an hour ago: what is older than its topic's retention is deleted
BINARY = b"\xff\x00\xfe"
HEADERS: list[tuple[str, bytes | None]] = [
    ("traceparent", b"00-ab"),
    ("raw", BINARY),
    ("null", None),
    ("raw", b"twice"),
]

Bits = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]], int]


@pytest.fixture
def batchsum(broker: Broker, topics: Topics) -> CommandLine:
    return CommandLine(bootstrap_servers=broker.bootstrap_servers, **topics._asdict())


def write(
    broker: Broker,
    topic: str,
    values: Sequence[bytes | None],
    *,
    partition: int = 0,
    key: bytes | None = None,
    headers: Sequence[tuple[str, str | bytes | None]] = (),
) -> None:
    options = {"enable.idempotence": True, "message.max.bytes": 4_000_000}
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, **options})
    for value in values:
        producer.produce(topic, value, key, partition, timestamp=TIMESTAMP_MS, headers=[*headers])
    assert producer.flush(20) == 0


def bits(message: Message) -> Bits:
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return message.key(), message.value(), headers, message.timestamp()[1]


def marked(count: int, place: str) -> tuple[str, bytes]:
    return "dlq.replayed", f"{count}/{place}".encode()


async def fail(broker: Broker, topics: Topics, *, letters: int, **settings: object) -> None:
    """Have an instance make dead letters of what is on the request topic, until there are so many."""
    async with running_service(settings_for(broker, topics, **settings)) as service:
        await wait_until(lambda: service.report.batches >= letters)


def letter_headers(topics: Topics, *, offset: int, **others: str) -> list[tuple[str, bytes | None]]:
    reasons = {"reason": "timed_out", "topic": topics.request_topic, "partition": "0", "offset": str(offset)}
    return [(f"dlq.{name}", value.encode()) for name, value in (reasons | others).items()]


async def test_they_are_counted_by_reason_with_the_newest_of_each(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    assert batchsum("dead-letters", "list").stdout == "reason\tletters\tnewest\tplace\n"
    write(broker, topics.request_topic, [b"not json", None, b"nor this"], partition=1)
    await fail(broker, topics, letters=3)
    listed = [json.loads(line) for line in (await batchsum.run("dead-letters", "list", "--json")).stdout.splitlines()]
    newest = [
        dict(bits(letter)[2])["dlq.failed_at"] for letter in await read(broker, topics.dead_letter_topic, partition=1)
    ]
    assert [(pile["reason"], pile["letters"], pile["place"]) for pile in listed] == [
        ("invalid_json", 2, f"{topics.dead_letter_topic}/1/2"),
        ("empty_record", 1, f"{topics.dead_letter_topic}/1/1"),
    ]
    assert [pile["newest"].encode() for pile in listed] == [newest[2], newest[1]]


async def test_a_letter_is_shown_with_its_reason_and_harms_no_terminal(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    hostile = json.dumps({"batchid": "evil\x1b[2J", "payload": [[1.5]]}, ensure_ascii=False).encode()
    hostile += b"\nforged: line\xe2\x80\xae\xff" + b"x" * 5_000
    write(broker, topics.request_topic, [hostile], key=b"key\r", headers=[("h\x1b]0;title\x07", b"\x9b31m")])
    await fail(broker, topics, letters=1)
    ended = await batchsum.run("dead-letters", "show", "--value-bytes", "100")
    assert ended.returncode == 0
    assert all(line.isprintable() for line in ended.stdout.splitlines())
    first, *facts = ended.stdout.splitlines()
    assert first == f"{topics.dead_letter_topic}/0/0  invalid_json"
    assert f"  request: {topics.request_topic}/0/0" in facts
    assert "  key: key\\r" in facts
    assert "  header h\\x1b]0;title\\x07: \\x9b31m" in facts
    assert facts[-1].startswith("  value: ")
    assert "\\nforged: line\\u202e\\xff" in facts[-1]
    assert facts[-1].endswith(f" … ({len(hostile)} bytes)")


async def test_the_faults_of_a_request_are_shown_and_the_number_of_letters_is_bounded(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    write(broker, topics.request_topic, [request(f"bad {number}", [[1, "2"]]) for number in range(4)])
    await fail(broker, topics, letters=4)
    ended = await batchsum.run("dead-letters", "show", "--limit", "3")
    assert ended.stdout.count("  fault: payload.0.1: must be an integer\n") == 3
    assert ended.stderr == "1 more are not shown: narrow it down, or raise --limit\n"
    alone = await batchsum.run("dead-letters", "show", "--batchid", "bad 2", "--json")
    assert json.loads(json.loads(alone.stdout)["value"])["batchid"] == "bad 2"


async def test_letters_can_be_selected_by_all_that_is_known_of_them(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    write(broker, topics.request_topic, [b"not json", request("one", "none"), request("two", "none")])
    write(broker, topics.request_topic, [b"nor this"], partition=3)
    await fail(broker, topics, letters=4)

    async def found(*options: str) -> list[tuple[int, int]]:
        ended = await batchsum.run("dead-letters", "export", *options)
        assert ended.returncode == 0
        letters = [json.loads(line) for line in ended.stdout.splitlines()]
        return sorted((letter["partition"], letter["offset"]) for letter in letters)

    assert await found("--reason", "invalid_json") == [(0, 0), (3, 0)]
    assert await found("--batchid", "one", "--batchid", "two") == [(0, 1), (0, 2)]
    assert await found("--partition", "3") == [(3, 0)]
    assert await found("--offsets", "1") == [(0, 1)]
    assert await found("--offsets", "1:", "--batchid", "two") == [(0, 2)]
    assert await found("--offsets", ":1") == [(0, 0), (3, 0)]
    assert await found("--since", "1h") == await found("--until", "2999-01-01T00:00:00Z") == await found()
    assert await found("--until", "1h") == await found("--since", "2999-01-01") == []


async def test_a_replay_is_the_request_bit_for_bit_in_order_where_it_came_from(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    values = [b"not json", None, BINARY, b""]
    for partition in (1, 2):
        write(broker, topics.request_topic, values, partition=partition, key=BINARY, headers=HEADERS)
    await fail(broker, topics, letters=8)
    dry = await batchsum.run("dead-letters", "replay")
    assert (dry.returncode, dry.stderr) == (0, "nothing was written: add --yes to do it\n")
    assert dry.stdout.startswith(
        f"8 of 8 dead letters to be replayed to {topics.request_topic}: 6 invalid_json, 2 empty"
    )
    assert len(await read(broker, topics.request_topic, partition=1)) == 4

    done = await batchsum.run("dead-letters", "replay", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"8 of 8 dead letters replayed to {topics.request_topic}: ")
    for partition in (1, 2):
        messages = await read(broker, topics.request_topic, partition=partition)
        originals, replayed = messages[:4], messages[4:]
        assert [bits(message) for message in replayed] == [
            (key, value, [*headers, marked(1, f"{topics.dead_letter_topic}/{partition}/{offset}")], timestamp)
            for offset, (key, value, headers, timestamp) in enumerate(map(bits, originals))
        ]


async def test_a_replayed_request_that_fails_again_is_a_faithful_dead_letter_until_it_has_been_replayed_enough(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    write(broker, topics.request_topic, [b"not json"], headers=HEADERS)
    await fail(broker, topics, letters=1)
    for replays in (1, 2):
        ended = await batchsum.run("dead-letters", "replay", "--yes", "--replays-max", "2", "--json")
        assert (ended.returncode, json.loads(ended.stdout)["replayed"]) == (0, {"invalid_json": 1})
        await fail(broker, topics, letters=1)
        *_, again = await read(broker, topics.request_topic)
        *_, letter = await read(broker, topics.dead_letter_topic)
        key, value, headers, timestamp = bits(again)
        assert headers == [*HEADERS, marked(replays, f"{topics.dead_letter_topic}/0/{replays - 1}")]
        of_letter = bits(letter)
        assert (of_letter[0], of_letter[1], of_letter[2][: len(headers)], of_letter[3]) == (
            key,
            value,
            headers,
            timestamp,
        )
        assert of_letter[2][len(headers)][0] == "dlq.reason"

    refused = await batchsum.run("dead-letters", "replay", "--yes", "--replays-max", "2")
    assert refused.returncode == 8
    assert refused.stdout.splitlines() == [
        f"0 of 1 dead letters replayed to {topics.request_topic}",
        "1 refused:",
        f"  {topics.dead_letter_topic}/0/2: replayed 2 times before",
    ]
    assert len(await read(broker, topics.request_topic)) == 3


async def test_a_replay_goes_on_where_the_same_one_stopped_and_begins_anew_only_when_told(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    async def replay(*options: str) -> int:
        ended = await batchsum.run("dead-letters", "replay", "--yes", "--json", "--since", "1d", *options)
        assert ended.returncode == 0
        return sum(json.loads(ended.stdout)["replayed"].values())

    write(broker, topics.request_topic, [b"not json", None, b"nor this"])
    await fail(broker, topics, letters=3)
    assert await replay() == 3
    assert await replay() == 0
    assert await replay("--reason", "empty_record") == 1, "another selection has a position of its own"
    await fail(broker, topics, letters=4)
    assert await replay() == 4, "those that have come since"
    assert await replay("--again") == 7
    assert len(await read(broker, topics.request_topic)) == 3 + 3 + 1 + 4 + 7


async def test_a_replay_that_is_killed_loses_nothing_and_doubles_nothing(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    values = [b"%d is no request" % number for number in range(400)]
    await produce(broker, topics.request_topic, values)
    await fail(broker, topics, letters=len(values))

    async def replayed() -> list[bytes | None]:
        return [message.value() for message in (await read(broker, topics.request_topic))[len(values) :]]

    async with batchsum.started("dead-letters", "replay", "--yes", "--rate", "40") as running:
        async with asyncio.timeout(60):
            while len(await replayed()) < 80:
                assert running.returncode is None
        running.kill()
        await running.wait()
    assert len(await replayed()) < len(values)
    ended = await batchsum.run("dead-letters", "replay", "--yes", "--rate", "40000")
    assert ended.returncode == 0, ended.stderr
    assert await replayed() == values


async def test_what_was_exported_can_be_mended_and_replayed(
    batchsum: CommandLine, broker: Broker, topics: Topics, tmp_path: Path
) -> None:
    write(broker, topics.request_topic, [b"not json", BINARY, None], key=BINARY, headers=HEADERS)
    await fail(broker, topics, letters=3)
    exported = (await batchsum.run("dead-letters", "export")).stdout
    lines = [json.loads(line) for line in exported.splitlines()]
    assert [line["value"] for line in lines] == ["not json", {"base64": "/wD+"}, None]
    assert lines[0]["headers"][:4] == [
        ["traceparent", "00-ab"],
        ["raw", {"base64": "/wD+"}],
        ["null", None],
        ["raw", "twice"],
    ]
    file = tmp_path / "letters.jsonl"
    mended = json.dumps(lines[0] | {"value": request("mended").decode()})
    file.write_text("\n".join([mended, "", *exported.splitlines()[1:]]))
    ended = await batchsum.run("dead-letters", "replay", "--yes", "--file", str(file))
    assert (ended.returncode, ended.stderr) == (0, "")
    messages = [bits(message) for message in await read(broker, topics.request_topic)]
    assert [message[1] for message in messages[3:]] == [request("mended"), BINARY, None]
    assert [(key, headers[:-1], timestamp) for key, _, headers, timestamp in messages[3:]] == [
        (key, headers, timestamp) for key, _, headers, timestamp in messages[:3]
    ]


BAD_LINES = {
    "nonsense": "not json",
    "no letter": "{}",
    "a number as value": '{"topic":"t","partition":0,"offset":0,"timestamp":0,"key":null,"headers":[],"value":7}',
    "no base64": '{"topic":"t","partition":0,"offset":0,"timestamp":0,"key":null,"headers":[],"value":{"base64":"?"}}',
}


def test_a_line_that_is_no_letter_is_told_before_anything_is_written(
    batchsum: CommandLine, broker: Broker, topics: Topics, tmp_path: Path
) -> None:
    entry = {"topic": "t", "partition": 0, "offset": 0, "timestamp": 0, "key": None, "value": None}
    good = json.dumps(entry | {"headers": letter_headers(topics, offset=0)}, default=bytes.decode)
    file = tmp_path / "letters.jsonl"
    for line in BAD_LINES.values():
        file.write_text(f"{good}\n{line}\n")
        ended = batchsum("dead-letters", "replay", "--yes", "--file", str(file))
        assert (ended.returncode, ended.stdout) == (2, "")
        assert f"{file}, line 2: " in ended.stderr
    assert asyncio.run(read(broker, topics.request_topic)) == []


async def test_what_cannot_be_replayed_is_refused_and_the_rest_goes_on(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    for headers in (
        [("stranger", b"no letter of ours")],
        letter_headers(topics, offset=1),
        letter_headers(topics, offset=2, topic="another-topic"),
        [("dlq.replayed", b"often"), *letter_headers(topics, offset=3)],
        [("dlq.replayed", b"1/some/0/0"), ("dlq.reason", b"its own"), *letter_headers(topics, offset=4)],
    ):
        write(broker, topics.dead_letter_topic, [b"value"], headers=headers)
    ended = await batchsum.run("dead-letters", "replay", "--yes")
    assert ended.returncode == 8
    assert ended.stdout.splitlines() == [
        f"2 of 5 dead letters replayed to {topics.request_topic}: 2 timed_out",
        "3 refused:",
        f"  {topics.dead_letter_topic}/0/0: no dead letter of this service",
        f"  {topics.dead_letter_topic}/0/2: its request came from another-topic",
        f"  {topics.dead_letter_topic}/0/3: its header dlq.replayed cannot be read",
    ]
    replayed = [bits(message)[2] for message in await read(broker, topics.request_topic)]
    assert replayed == [
        [marked(1, f"{topics.dead_letter_topic}/0/1")],
        [("dlq.reason", b"its own"), marked(2, f"{topics.dead_letter_topic}/0/4")],
    ]


@pytest.mark.real_broker("it takes a request of any size")
async def test_a_request_that_the_topic_refuses_costs_no_other_its_replay(
    batchsum: CommandLine, broker: Broker, topics: Topics
) -> None:
    for offset, value in enumerate([b"first", b"x" * 1_060_000, b"last"]):
        write(broker, topics.dead_letter_topic, [value], headers=letter_headers(topics, offset=offset))
    ended = await batchsum.run("dead-letters", "replay", "--yes")
    assert ended.returncode == 8, ended.stderr
    assert ended.stdout.splitlines()[1:] == [
        "1 refused:",
        f"  {topics.dead_letter_topic}/0/1: larger than the request topic allows",
    ]
    assert [message.value() for message in await read(broker, topics.request_topic)] == [b"first", b"last"]


async def test_a_replay_may_have_the_time_of_the_replay(batchsum: CommandLine, broker: Broker, topics: Topics) -> None:
    write(broker, topics.dead_letter_topic, [b"value"], headers=letter_headers(topics, offset=0))
    started_ms = time.time() * 1000
    assert (await batchsum.run("dead-letters", "replay", "--yes", "--now")).returncode == 0
    (message,) = await read(broker, topics.request_topic)
    assert started_ms - 1 <= bits(message)[3]


@pytest.mark.real_broker("it makes every topic that it is asked about")
def test_a_topic_that_is_not_there_is_told_with_what_to_do(broker: Broker) -> None:
    lost = CommandLine(
        bootstrap_servers=broker.bootstrap_servers, dead_letter_topic="nowhere", connect_timeout_ms="2000"
    )
    ended = lost("dead-letters", "list")
    assert ended.returncode == 3
    assert ended.stderr == "no such topic: nowhere; `batchsum topics create` makes them\n"
