"""`batchsum audit`: prove that each request has its outcome, that the sums are right, and that nothing is doubled."""

from dataclasses import dataclass

from config.settings import Settings
from consumer.commands import output
from consumer.commands.audit import report
from consumer.commands.audit.auditor import Auditor
from consumer.commands.audit.expected import make_pool
from consumer.commands.audit.scope import Range, find_scope
from consumer.kafka.history import history
from consumer.ledger.entry import Delivery

VIOLATED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to audit, and by which promise; how many requests are in memory at once, and how many of a kind are listed."""

    chosen: Range
    delivery: Delivery
    at_once: int
    listed_max: int


async def audit(settings: Settings, plan: Plan, *, as_json: bool) -> int:
    """Audit, report, and return the exit code.

    Raises:
        Failure: Topics, group or workers cannot be used, or there is no such range.
    """
    pool = make_pool(settings)
    await pool.start()
    try:
        async with history(settings) as topics:
            scope = await find_scope(settings, plan.chosen, topics)
            auditor = Auditor(
                settings,
                scope,
                topics,
                pool,
                delivery=plan.delivery,
                at_once=plan.at_once,
                listed_max=plan.listed_max,
            )
            findings = await auditor.run()
    finally:
        await pool.stop()
    if as_json:
        output.as_json(report.as_json(settings, scope, findings))
    else:
        report.show(settings, scope, findings)
    return VIOLATED if findings.violations else 0
