"""An instance as its supervisor sees it: signals in, exit codes out, and no record the worse for it."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consumer.failures import CannotConnect, NotDrained, Replaced
from tests.support.brokers import Broker, Topics
from tests.support.instances import Instances, instances
from tests.support.kafka import committed, produce, read, settings_for
from tests.support.records import request
from tests.support.waiting import wait_until

BATCHES = 20_000


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Instances]:
    async with instances(tmp_path) as running:
        yield running


async def results(broker: Broker, topics: Topics) -> Counter[str]:
    found: Counter[str] = Counter()
    for message in await read(broker, topics.result_topic):
        answer = json.loads(message.value() or b"")
        assert answer["response"] == [3, 7]
        found[answer["batchid"]] += 1
    return found


async def test_sigterm_under_load_drains_commits_and_does_nothing_twice(
    broker: Broker, topics: Topics, running: Instances
) -> None:
    settings = settings_for(broker, topics, log_level="debug", chunk_records_max=100)
    await produce(broker, topics.request_topic, [request(str(number)) for number in range(BATCHES)])
    first = await running.start(settings).ready()
    await first.logged("chunk delivered", times=3)
    assert await first.stopped() == 0
    done = await committed(broker, topics) or 0
    assert 0 < done < BATCHES
    assert len(await results(broker, topics)) == done

    second = await running.start(settings).ready()
    await second.logged("chunk delivered", times=(BATCHES - done) // 100)
    await wait_until(lambda: sum(int(str(e["batches"])) for e in second.events("chunk delivered")) == BATCHES - done)
    assert await second.stopped() == 0
    assert await results(broker, topics) == Counter({str(number): 1 for number in range(BATCHES)})


async def test_a_second_signal_ends_it_at_once_and_the_rest_is_done_after_the_restart(
    broker: Broker, topics: Topics, running: Instances
) -> None:
    settings = settings_for(broker, topics, log_level="debug", chunk_records_max=1)
    await produce(broker, topics.request_topic, [request("before"), request("sleep:60"), request("after")])
    stuck = await running.start(settings, faulty=True).ready()
    await stuck.logged("chunk delivered")
    stuck.terminate()
    await stuck.logged("draining")
    while stuck.exit_code is None:
        stuck.signal(signal.SIGTERM)
        await asyncio.sleep(0.1)  # signals that come together count as one
    assert stuck.exit_code == NotDrained.exit_code

    fresh = await running.start(settings).ready()
    await wait_until(lambda: sum(int(str(e["batches"])) for e in fresh.events("chunk delivered")) == 2, timeout_s=30)
    assert await fresh.stopped() == 0
    assert await results(broker, topics) == Counter({"before": 1, "sleep:60": 1, "after": 1})


async def test_a_spent_drain_budget_is_told_by_the_exit_code(
    broker: Broker, topics: Topics, running: Instances
) -> None:
    settings = settings_for(broker, topics, log_level="debug", chunk_records_max=1, drain_timeout_ms=200)
    await produce(broker, topics.request_topic, [request("before"), request("sleep:60")])
    stuck = await running.start(settings, faulty=True).ready()
    await stuck.logged("chunk delivered")

    assert await stuck.stopped() == NotDrained.exit_code
    assert await committed(broker, topics) == 1


async def test_a_killed_instance_leaves_no_worker_and_the_next_one_goes_on(
    broker: Broker, topics: Topics, running: Instances
) -> None:
    settings = settings_for(broker, topics, log_level="debug", chunk_records_max=100)
    await produce(broker, topics.request_topic, [request(str(number)) for number in range(BATCHES)])
    first = await running.start(settings).ready()
    await first.logged("chunk delivered", times=3)
    first.kill()
    await wait_until(lambda: not first.outlived_by())

    second = await running.start(settings).ready()
    found: Counter[str] = Counter()
    while len(found) < BATCHES:
        await second.logged("chunk delivered")
        found = await results(broker, topics)
    assert await second.stopped() == 0
    assert found.keys() == {str(number) for number in range(BATCHES)}


async def test_without_a_broker_it_says_so_and_gives_up(topics: Topics, broker: Broker, running: Instances) -> None:
    settings = settings_for(broker, topics, bootstrap_servers="127.0.0.1:1", connect_timeout_ms=1_500)
    lonely = running.start(settings)

    assert await lonely.ended() == CannotConnect.exit_code
    assert "127.0.0.1:1" in str(lonely.events("stopped")[0]["reason"])


@pytest.mark.real_broker("it makes topics on first use")
async def test_without_its_topic_it_says_which_and_how_to_make_it(
    topics: Topics, broker: Broker, running: Instances
) -> None:
    settings = settings_for(broker, topics, request_topic="nobody-made-this", connect_timeout_ms=1_500)
    lonely = running.start(settings)

    assert await lonely.ended() == CannotConnect.exit_code
    reason = str(lonely.events("stopped")[0]["reason"])
    assert "nobody-made-this" in reason
    assert "batchsum topics create" in reason


async def test_a_signal_that_comes_when_all_is_done_does_not_spoil_the_exit_code(
    broker: Broker, topics: Topics, running: Instances
) -> None:
    instance = await running.start(settings_for(broker, topics)).ready()
    instance.terminate()
    await instance.logged("stopped")
    while instance.exit_code is None:  # Python takes a while to clean up
        instance.signal(signal.SIGTERM)
        await asyncio.sleep(0.005)
    assert instance.exit_code == 0


def test_settings_that_cannot_be_used_are_told_before_anything_is_started() -> None:
    command = [sys.executable, "-m", "consumer", "run", "--set", "workers=none"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("workers (flag): ")


async def test_an_event_loop_that_stands_still_for_too_long_ends_the_process_with_all_stacks(
    broker: Broker, topics: Topics, running: Instances
) -> None:
    blocked = await running.start(settings_for(broker, topics, stall_timeout_ms=1_500), faulty=True).ready()
    await wait_until(lambda: blocked.is_healthy)  # now it is being watched
    blocked.signal(signal.SIGUSR1)
    assert await blocked.ended() == 1
    assert "Timeout (0:00:01.500000)!" in blocked.log_file.read_text()


@pytest.mark.real_broker("it knows no static members")
async def test_of_two_instances_with_one_name_the_elder_ends_and_says_why(
    broker: Broker, topics: Topics, running: Instances
) -> None:
    settings = settings_for(broker, topics, group_instance_id="same")
    elder = await running.start(settings).ready()
    younger = await running.start(settings).ready()
    assert await elder.ended() == Replaced.exit_code

    await produce(broker, topics.request_topic, [request("a")])
    await wait_until(lambda: any(event["batches"] == 1 for event in younger.events("summary")))
    assert await younger.stopped() == 0
