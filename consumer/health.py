"""Whether an instance lives, and whether it is ready: what its probes, its watchdog and its heartbeat file tell."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from consumer.kafka.delivery import Delivery
from consumer.kafka.source import Source
from consumer.lanes import Lanes
from consumer.pool import Pool

Checks = Mapping[str, str | None]
"""What was looked at, by name, each with its trouble in words; None where there is none."""


class Health:
    """Looks at the parts of an instance; each look costs microseconds and waits for nothing.

    `background` has the tasks without which the instance is dead, once they run. `draining` is set when it was told to
    stop.
    """

    def __init__(self, *, source: Source, lanes: Lanes, pool: Pool, delivery: Delivery) -> None:
        self._source = source
        self._lanes = lanes
        self._pool = pool
        self._delivery = delivery
        self.background: Sequence[asyncio.Task[None]] = ()
        self.draining = False

    def liveness(self) -> Checks:
        """What only a restart would mend. That anybody is answered proves that the event loop turns."""
        ended = [task.get_name() for task in self.background if task.done()] + self._source.dead_tasks
        return {"event_loop": None, "background": f"ended: {', '.join(ended)}" if ended else None}

    def readiness(self) -> Checks:
        """What keeps the instance from its work at the moment, and may well pass."""
        return {
            "group": None if self._source.in_group else "not in the group",
            "lanes": self._shut_lanes(),
            "pool": self._pool.trouble,
            "outage": "; ".join(self._delivery.troubles(self._lanes.open_partitions)) or None,
            "draining": "told to stop" if self.draining else None,
        }

    def troubles(self) -> Iterator[str]:
        """The same in words, for the log; to stop on demand is no trouble."""
        return (trouble for name, trouble in self.readiness().items() if trouble and name != "draining")

    def _shut_lanes(self) -> str | None:
        """An instance without partitions is idle by right: others have them all."""
        shut = {partition.partition for partition in self._source.partitions} - self._lanes.open_partitions
        return f"shut: {', '.join(map(str, sorted(shut)))}" if shut else None
