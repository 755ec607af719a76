"""`batchsum results`: read the answers."""

from typing import Literal

from config.settings import Settings
from consumer.commands import output
from consumer.kafka.caller import reading

QUIET_READS_MAX = 25  # of 200 ms: what a transaction left unfinished at the end is not waited for


async def results(settings: Settings, *, start: Literal["earliest", "latest"], follow: bool, as_json: bool) -> None:
    """Print the answers that are there, and with `follow` those to come until interrupted."""
    async with reading(settings, settings.result_topic, start=start) as outcomes:
        ends = await outcomes.ends()
        quiet = 0
        while follow or (quiet < QUIET_READS_MAX and not await outcomes.reached(ends)):
            found = await outcomes.read()
            quiet = 0 if found else quiet + 1
            for outcome in found:
                if as_json:
                    output.as_json(output.envelope(outcome))
                else:
                    output.record(outcome.value)
