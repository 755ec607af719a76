"""The hat: every fault that can be drawn at random. Each strikes, lasts, and heals, and says what it did."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from tests.chaos.load import order
from tests.chaos.scene import SESSION_TIMEOUT_S, Scene
from tests.support.brokers.node import Node
from tests.support.faulty_instance import BLOCKED_S
from tests.support.instances import Instance

T = TypeVar("T")

AGAIN_S = 0.6  # sooner, a second signal counts as the same one
ORDERS = ("exit:3", "signal:11", "hang", "raise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault as it was drawn. `choice`, from 0 to below 1, says upon whom of those that are there."""

    fault: str
    choice: float
    duration_s: float
    pause_s: float

    def choose(self, candidates: Sequence[T]) -> T:
        """The one upon whom it falls."""
        return candidates[int(self.choice * len(candidates))]


Fault = Callable[[Scene, Strike], Awaitable[str]]


async def a_worker_is_killed(stage: Scene, strike: Strike) -> str:
    workers = [worker for instance in stage.instances.running for worker in instance.workers()]
    if not workers:
        return "there is none"
    victim = strike.choose(workers)
    victim.kill()
    return f"worker {victim.pid}"


async def an_instance_is_killed(stage: Scene, strike: Strike) -> str:
    victim = strike.choose(stage.instances.running)
    victim.kill()
    await victim.ended()
    return victim.name


async def an_instance_is_stopped(stage: Scene, strike: Strike) -> str:
    victim = strike.choose(stage.instances.running)
    return f"{victim.name}, exit {await victim.stopped()}"


async def an_instance_is_stopped_by_two_signals(stage: Scene, strike: Strike) -> str:
    victim = strike.choose(stage.instances.running)
    victim.terminate()
    await asyncio.sleep(AGAIN_S)
    if victim.exit_code is None:
        victim.terminate()
    return f"{victim.name}, exit {await victim.ended()}"


async def an_instance_is_frozen(stage: Scene, strike: Strike) -> str:
    victim = strike.choose(stage.instances.running)
    victim.signal(signal.SIGSTOP)
    await asyncio.sleep(strike.duration_s)
    victim.signal(signal.SIGCONT)
    return victim.name


async def an_event_loop_is_blocked(stage: Scene, strike: Strike) -> str:
    victim = strike.choose(stage.instances.running)
    victim.signal(signal.SIGUSR1)
    await asyncio.sleep(BLOCKED_S)
    return victim.name


async def an_instance_comes_and_goes(stage: Scene, strike: Strike) -> str:
    guest = start(stage)
    await asyncio.sleep(strike.duration_s)
    return f"{guest.name}, exit {await guest.stopped()}"


async def all_members_are_expelled(stage: Scene, strike: Strike) -> str:
    return f"{await stage.kafka.expel_all(stage.topics.group_id)} members"


async def a_broker_is_killed(stage: Scene, strike: Strike) -> str:
    return await _without(strike, strike.choose(stage.kafka.nodes), Node.kill, Node.start)


async def a_broker_is_stopped(stage: Scene, strike: Strike) -> str:
    return await _without(strike, strike.choose(stage.kafka.nodes), Node.stop, Node.start)


async def a_broker_is_frozen(stage: Scene, strike: Strike) -> str:
    return await _without(strike, strike.choose(stage.kafka.nodes), Node.pause, Node.resume)


async def the_coordinator_is_killed(stage: Scene, strike: Strike) -> str:
    number = await asyncio.to_thread(stage.kafka.coordinator, stage.topics.group_id)
    return await _without(strike, stage.kafka.nodes[number], Node.kill, Node.start)


async def connections_are_reset(stage: Scene, strike: Strike) -> str:
    return f"{sum(proxy.reset() for proxy in stage.kafka.proxies)} connections"


async def connections_are_half_open(stage: Scene, strike: Strike) -> str:
    return f"{strike.choose(stage.kafka.proxies).half_open()} connections"


async def the_network_is_slow(stage: Scene, strike: Strike) -> str:
    async with _healed(stage):
        for proxy in stage.kafka.proxies:
            proxy.latency_s = 2.0
        await asyncio.sleep(strike.duration_s)
    return "2 s"


async def the_network_is_narrow(stage: Scene, strike: Strike) -> str:
    async with _healed(stage):
        for proxy in stage.kafka.proxies:
            proxy.bytes_per_s = 1024
        await asyncio.sleep(strike.duration_s)
    return "1 KB/s"


async def a_broker_is_out_of_reach(stage: Scene, strike: Strike) -> str:
    proxy = strike.choose(stage.kafka.proxies)
    async with _healed(stage):
        await proxy.refuse()
        await asyncio.sleep(strike.duration_s)
    return proxy.address


async def all_brokers_are_out_of_reach(stage: Scene, strike: Strike) -> str:
    async with _healed(stage):
        for proxy in stage.kafka.proxies:
            await proxy.refuse()
        await asyncio.sleep(strike.duration_s)
    return stage.kafka.proxied


async def results_are_forbidden(stage: Scene, strike: Strike) -> str:
    return await _forbidden(stage, strike, stage.topics.result_topic)


async def dead_letters_are_forbidden(stage: Scene, strike: Strike) -> str:
    return await _forbidden(stage, strike, stage.topics.dead_letter_topic)


async def batches_bring_their_workers_down(stage: Scene, strike: Strike) -> str:
    batchid = strike.choose(ORDERS)
    await stage.produce([order(batchid)], partition=int(strike.choice * stage.partitions))
    return batchid


HAT: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        a_worker_is_killed,
        an_instance_is_killed,
        an_instance_is_stopped,
        an_instance_is_stopped_by_two_signals,
        an_instance_is_frozen,
        an_event_loop_is_blocked,
        an_instance_comes_and_goes,
        all_members_are_expelled,
        a_broker_is_killed,
        a_broker_is_stopped,
        a_broker_is_frozen,
        the_coordinator_is_killed,
        connections_are_reset,
        connections_are_half_open,
        the_network_is_slow,
        the_network_is_narrow,
        a_broker_is_out_of_reach,
        all_brokers_are_out_of_reach,
        results_are_forbidden,
        dead_letters_are_forbidden,
        batches_bring_their_workers_down,
    )
}

DURATIONS_S = (1.0, 2.5 * SESSION_TIMEOUT_S)


def start(stage: Scene) -> Instance:
    """An instance as the conductor wants it: it can be blocked, and its workers obey."""
    # Commits follow upon results as closely as they can, so that one made too early is likely to be caught.
    return stage.start(faulty=True, chunk_timeout_ms=2_000, commit_interval_ms=5)


async def _without(strike: Strike, node: Node, end: Callable[[Node], None], begin: Callable[[Node], None]) -> str:
    await asyncio.to_thread(end, node)
    await asyncio.sleep(strike.duration_s)
    await asyncio.to_thread(begin, node)
    return str(node)


async def _forbidden(stage: Scene, strike: Strike, topic: str) -> str:
    await asyncio.to_thread(stage.kafka.forbid_writing, topic)
    await asyncio.sleep(strike.duration_s)
    await asyncio.to_thread(stage.kafka.allow_writing, topic)
    return topic


@asynccontextmanager
async def _healed(stage: Scene) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for proxy in stage.kafka.proxies:
            await proxy.heal()
