"""What brokers of the tests have in common, wherever they run."""

from collections.abc import Sequence

# Topics are created on purpose; a group's first member is not kept waiting for others; few internal partitions, so that
# groups and transactions start at once; a killed broker is soon forgotten, for until then it may not come back.
COMMON = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "6",
    "transaction.state.log.num.partitions": "6",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


def quorum(controllers: Sequence[str]) -> dict[str, str]:
    """The properties of a cluster whose nodes 1, 2, … have these controller addresses, and replicate to each other."""
    replicas = str(len(controllers))
    return {
        "controller.quorum.voters": ",".join(f"{number}@{address}" for number, address in enumerate(controllers, 1)),
        "default.replication.factor": replicas,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": str(majority(len(controllers))),
    }


def majority(nodes: int) -> int:
    """How many of *nodes* are more than half of them."""
    return nodes // 2 + 1
