"""What counts as fetched."""

from collections.abc import Sequence

import pytest

from benchmarks import fetching
from benchmarks.fetching import TooFew, _read


class Message:
    """As much of a message as counting needs: whether it stands for an error."""

    def __init__(self, error: str | None = None) -> None:
        self._error = error

    def error(self) -> str | None:
        return self._error


class Consumer:
    """Has these messages to give, a handful at a time, and then none."""

    def __init__(self, *handfuls: Sequence[Message]) -> None:
        self.left = [*handfuls]

    def consume(self, _most: int, *, timeout: float) -> Sequence[Message]:
        return self.left.pop(0) if self.left else []


def test_errors_are_no_requests_and_nothing_is_read_behind_the_handful_that_has_enough() -> None:
    consumer = Consumer([Message(), Message("a broker is away")], [Message(), Message()], [Message()])
    assert _read(consumer, 2) == 3  # type: ignore[arg-type] # all of a consumer that is needed
    assert len(consumer.left) == 1


def test_requests_that_do_not_come_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.0)
    with pytest.raises(TooFew, match="of 2 requests"):
        _read(Consumer([Message()]), 2)  # type: ignore[arg-type]
