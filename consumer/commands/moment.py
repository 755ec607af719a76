"""Moments as people name them."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Moment(NamedTuple):
    """A moment, and how it was named: `2h` is another moment a minute later, and means the same."""

    text: str
    at: datetime

    @property
    def ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.at.timestamp() * 1000)


def parse(text: str) -> Moment:
    """The moment that *text* names: RFC 3339, taken as UTC where no offset is given, or how long ago.

    Raises:
        ValueError: It names none.
    """
    if ago := re.fullmatch(r"(\d{1,5})([smhd])", text):
        return Moment(text, datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])}))
    named = datetime.fromisoformat(text)
    return Moment(text, named if named.tzinfo else named.replace(tzinfo=UTC))
