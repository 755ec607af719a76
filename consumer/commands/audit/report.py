"""What an audit says in the end: to a person on one screen, or as JSON."""

from collections import Counter
from collections.abc import Iterator

from config.settings import Settings
from consumer.commands import output
from consumer.commands.audit.findings import WITHOUT_SOURCE, Findings
from consumer.commands.audit.scope import Scope
from consumer.ledger.entry import Violation
from consumer.ledger.page import Kind

# What to do next, by what a violation's kind has in it; the first that fits.
ORDER = "out of order: if partitions were added to an outcome topic, begin behind that (--since, --offsets)"
TWICE = (
    "more than one outcome: were all instances on exactly_once all the time? If not, begin behind the change (--since)"
)
HINTS = {
    "out of order": ORDER,
    "in another partition": ORDER,
    "no outcome": (
        "no outcome: lost, or deleted from the outcome topics. Was it done by this group at all? "
        "Write such a request again, as it stands at those coordinates, and it gets its outcome"
    ),
    "without a source": "without a source: something else writes to the outcome topics; find out who may (ACLs)",
    "of no request": "of no request: something else writes there, or the request topic was made anew under its old name",
    "wrong verdict": "wrong verdict: was another version of the service at work, with another contract?",
    "more than one outcome": TWICE,
    "two kinds of outcome": TWICE,
    "dead letter": (
        "dead letters that differ or are missing: `batchsum dead-letters show` has each with its request; "
        "a topic that stamps its records itself (LogAppendTime) changes them, too"
    ),
    "answer": (
        "wrong, differing or missing answers: `batchsum results --json` has each with its source; was another version at "
        "work, or reply_to_failed off (then --set reply_to_failed=false)?"
    ),
}

Json = dict[str, object]


def as_json(settings: Settings, scope: Scope, findings: Findings) -> Json:
    """All of it, as one object."""
    return {
        "verdict": findings.verdict,
        "ranges": [
            {
                "topic": span.topic,
                "partition": span.partition,
                "from": span.start,
                "to": span.end,
                "kept_from": span.kept_from,
                "due_to": None if scope.due is None else scope.due.get(span.partition, 0),
            }
            for span in scope.requests
        ],
        "requests": findings.requests,
        **{state: findings.states[state] for state in ("complete", "failed", "pending", "unknown", "missing")},
        "repeated": findings.repeated,
        "removed_unread": scope.unread,
        "removed_meanwhile": findings.removed_since,
        "outdated": dict(findings.outdated),
        "foreign": dict(findings.foreign),
        "violations": dict(findings.violations),
        "listed": [
            {"kind": each.kind, **_coordinates(settings, each), "detail": each.detail}
            for listed in findings.listed.values()
            for each in listed
        ],
    }


def show(settings: Settings, scope: Scope, findings: Findings) -> None:
    """Print it for people: what was found, the first of each kind by coordinates, and what to do next."""
    output.table(
        f"{settings.request_topic}: {findings.requests:,} requests in the range",
        ("of these", "requests"),
        [
            ("answered with their sums", f"{findings.states['complete']:,}"),
            ("failed, and kept as dead letters", f"{findings.states['failed']:,}"),
            ("not done yet, and not due", f"{findings.states['pending']:,}"),
            ("with outcomes that retention may have removed", f"{findings.states['unknown']:,}"),
            ("without an outcome", f"{findings.states['missing']:,}"),
        ],
    )
    if findings.listed:
        output.table(
            "The first of each kind",
            ("what", "where", "detail"),
            [
                (each.kind, "/".join(map(str, _coordinates(settings, each).values())), each.detail)
                for listed in findings.listed.values()
                for each in listed
            ],
        )
    output.line(verdict(findings))
    for remark in remarks(scope, findings):
        output.note(remark)


def verdict(findings: Findings) -> str:
    """The verdict, in a sentence."""
    proved = findings.states["complete"] + findings.states["failed"]
    if findings.verdict == "violated":
        return f"violated: {_counted(findings.violations)}"
    if findings.verdict == "nothing":
        return "nothing to prove: no request of the range is due and has outcomes that are kept"
    return f"proved: each of {proved:,} requests has its outcome, every sum is right, and all are in order"


def remarks(scope: Scope, findings: Findings) -> Iterator[str]:
    """What is no violation and worth knowing, and what to do next."""
    if findings.repeated:
        yield f"{findings.repeated:,} requests have repeated outcomes, as at least once allows; --exactly-once forbids it"
    if findings.states["pending"]:
        yield f"{findings.states['pending']:,} requests are behind the group's offset; audit again when they are done"
    if scope.due is not None and scope.strange:
        partitions = ", ".join(map(str, scope.strange))
        yield f"the group has committed nothing for partition {partitions}, so nothing is due there; --all-due says it is"
    if scope.unread:
        yield f"retention has removed {scope.unread:,} offsets of requests before they were done: those are lost to everybody"
    if findings.removed_since:
        yield f"retention has removed {findings.removed_since:,} offsets of requests while the audit was running"
    if findings.outdated:
        yield f"passed over, because retention has removed their requests: {_counted(findings.outdated)}"
    if findings.foreign:
        yield f"passed over, because their requests stand in another topic: {_counted(findings.foreign)}"
    if findings.states["unknown"]:
        yield "where outcomes may have been removed, nothing can be proved: audit more often than retention removes"
    yield from dict.fromkeys(_hint(kind) for kind in findings.violations)


def _hint(kind: str) -> str:
    return next(hint for part, hint in HINTS.items() if part in kind)


def _counted(counts: "Counter[str] | Counter[Kind]") -> str:
    return ", ".join(f"{kind} ({count:,})" for kind, count in counts.items())


def _coordinates(settings: Settings, violation: Violation) -> Json:
    """Where it is: the request, or where that is unknown the outcome itself."""
    topics = {"answer": settings.result_topic, "dead letter": settings.dead_letter_topic}
    kind = WITHOUT_SOURCE.get(violation.kind)
    topic = settings.request_topic if kind is None else topics[kind]
    return {"topic": topic, "partition": violation.partition, "offset": violation.offset}
