"""An instance as the HTTP port sees it, which fares as the test wants."""

from consumer.health import Checks


class FakeHealth:
    """Healthy, until told otherwise."""

    def __init__(self) -> None:
        self.alive: dict[str, str | None] = {"event_loop": None, "background": None}
        self.ready: dict[str, str | None] = {"group": None, "lanes": None, "pool": None, "outage": None}

    def liveness(self) -> Checks:
        return self.alive

    def readiness(self) -> Checks:
        return self.ready


class FakeInstance:
    """One that carries nothing."""

    def __init__(self) -> None:
        self.health = FakeHealth()
