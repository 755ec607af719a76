"""What makes an instance stop, each with the exit code that its supervisor sees."""

from typing import ClassVar


class Failure(Exception):
    """An error that nothing inside the instance can mend: it stops, loudly, with its offsets held."""

    exit_code: ClassVar[int] = 1


class CannotConnect(Failure):
    """Kafka cannot be used at all: brokers out of reach, credentials refused, topics missing."""

    exit_code = 3


class WorkersFailing(Failure):
    """The workers cannot be started, or batch after batch fails in them: a bad deployment, not a bad batch."""

    exit_code = 4


class Stalled(Failure):
    """No progress, or an outage that has outlasted its limit: a restart is the better chance."""

    exit_code = 5


class NotDrained(Failure):
    """Told to stop, the instance could not finish what was in flight in time; it will be done again."""

    exit_code = 6


class OffsetsLost(Failure):
    """The committed offset is no longer in the log, and the settings say to stop rather than to skip."""

    exit_code = 7


class Replaced(Failure):
    """Another instance has this one's `group_instance_id`, and with it its place in the group."""

    exit_code = 11
