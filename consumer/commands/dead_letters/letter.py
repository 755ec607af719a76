"""A dead letter as it is read: the request that it was, why it failed, and how often it was replayed."""

from datetime import datetime
from typing import cast

from consumer import dead_letter
from consumer.commands.requests import batchid_in
from consumer.ledger.entry import Entry
from consumer.wire.packing import Message

UNMARKED = "(no reason)"


class Unrepeatable(Exception):
    """A dead letter that is not to be replayed; the message says why."""


class Letter:
    """A record of the dead letter topic. One that the service has not written has no reason and no request."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.own_headers, reasons = dead_letter.split(entry.headers)
        self.reasons = {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in reasons.items()}

    @property
    def place(self) -> str:
        """Where the letter stands: topic/partition/offset."""
        return f"{self.entry.topic}/{self.entry.partition}/{self.entry.offset}"

    @property
    def reason(self) -> str:
        """The code of why it failed."""
        return self.reasons.get(dead_letter.REASON, UNMARKED)

    @property
    def request(self) -> str:
        """Where the request stood: topic/partition/offset."""
        return "/".join(self.reasons.get(name, "") for name in dead_letter.COORDINATES)

    @property
    def failed_at(self) -> datetime | None:
        """When it failed, if that can be read."""
        try:
            moment = datetime.fromisoformat(self.reasons.get(dead_letter.FAILED_AT, ""))
        except ValueError:
            return None
        return moment if moment.tzinfo else None

    @property
    def batchid(self) -> str | None:
        """The batchid, if one can be read."""
        return batchid_in(self.entry.value or b"")

    def repeated(self, *, request_topic: str, replays_max: int, now: bool) -> tuple[int, Message]:
        """The request partition that it came from, and the request as it was there, marked as replayed once more.

        *now*: but for its timestamp, which is that of the replay.

        Raises:
            Unrepeatable: It is no request of *request_topic*, or was replayed *replays_max* times already.
        """
        topic, partition = (self.reasons.get(name, "") for name in (dead_letter.TOPIC, dead_letter.PARTITION))
        if not partition.isdecimal():
            raise Unrepeatable("no dead letter of this service")
        if topic != request_topic:
            raise Unrepeatable(f"its request came from {topic}")
        replays = self._replays()
        if replays >= replays_max:
            raise Unrepeatable(f"replayed {replays} times before")
        own = [header for header in self.own_headers if header[0] != dead_letter.REPLAYED]
        mark = (dead_letter.REPLAYED, f"{replays + 1}/{self.place}".encode())
        headers = cast("list[tuple[str, bytes]]", [*own, mark])  # a header's value may be null, and the client takes it
        return int(partition), (self.entry.key, self.entry.value, headers, None if now else self.entry.timestamp)

    def _replays(self) -> int:
        mark = dict(self.own_headers).get(dead_letter.REPLAYED)
        count, _, _ = (b"0" if mark is None else mark).decode(errors="replace").partition("/")
        if not count.isdecimal() or len(count) > 9:
            raise Unrepeatable(f"its header {dead_letter.REPLAYED} cannot be read")
        return int(count)
