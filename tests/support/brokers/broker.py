"""What tests and benchmarks may ask of a broker, whichever it is."""

from typing import Literal, Protocol, runtime_checkable

Kind = Literal["external", "container", "process", "embedded"]


class BrokerError(Exception):
    """A broker did not do what was asked of it; the message has the end of its log where there is one."""


class OutOfReachError(BrokerError):
    """This kind of broker cannot be stopped, started, killed or paused from here."""


@runtime_checkable
class Broker(Protocol):
    """One broker, or a small cluster that is treated as one.

    Every method returns when its effect can be seen by a client, and blocks until then: in a coroutine, call it by
    `asyncio.to_thread`. Topics, records, groups and the address outlast every stop, kill and restart, until `close`.
    """

    @property
    def kind(self) -> Kind:
        """Which of the four it is."""

    @property
    def description(self) -> str:
        """What it is, in words for a report: product, version, how it runs."""

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find it; never changes."""

    def start(self) -> None:
        """Start it for the first time, or again."""

    def stop(self) -> None:
        """Ask it to end and wait until it has (SIGTERM); without a majority of the cluster it is killed in the end."""

    def kill(self) -> None:
        """End it at once (SIGKILL)."""

    def pause(self) -> None:
        """Freeze it: its connections stay open and nothing is answered (SIGSTOP)."""

    def resume(self) -> None:
        """Let it go on after `pause`."""

    def create_topic(self, name: str, *, partitions: int = 4, **configs: str) -> None:
        """Create a topic and wait until each partition has a leader; `max_message_bytes` stands for `max.message.bytes`."""

    def close(self) -> None:
        """End it, however it fares, and leave nothing behind."""
