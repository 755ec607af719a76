"""What is wrong, how bad that is, and how to mend it."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is; the lower, the worse."""

    ERROR = 1  # the service would not start, would stand still or would lose something
    WARNING = 2  # it runs, until something happens that is to be expected
    NOTE = 3  # worth knowing: what could not be looked at, for instance

    @property
    def word(self) -> str:
        """Its name as it is printed."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with `subject`: what is, and what to do."""

    severity: Severity
    subject: str
    what: str
    mend: str

    @property
    def line(self) -> str:
        """All of it, for people."""
        return f"{self.severity.word:<7}  {self.subject}: {self.what}; {self.mend}"


def error(subject: str, what: str, mend: str) -> Finding:
    """Something without which the service is of no use."""
    return Finding(Severity.ERROR, subject, what, mend)


def warning(subject: str, what: str, mend: str) -> Finding:
    """Something that will be regretted."""
    return Finding(Severity.WARNING, subject, what, mend)


def note(subject: str, what: str, mend: str) -> Finding:
    """Something to know."""
    return Finding(Severity.NOTE, subject, what, mend)
