"""`python -m benchmarks`: run the benchmark, keep what it measures after each step, and write its report."""

import argparse
import sys
from dataclasses import replace

from benchmarks.document import read
from benchmarks.plan import FULL, QUICK, TITLES, Plan, described
from benchmarks.profiles import PROFILES
from benchmarks.publish import RESULTS, ROOT, publish
from benchmarks.report import reservations, tables
from benchmarks.runner import run
from benchmarks.systems import SYSTEMS

ELSEWHERE = ROOT / "build" / "benchmarks" / "latest.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and medium, three peers, under five minutes")
    parser.add_argument("--systems", help=f"some of {','.join(SYSTEMS)}, without spaces")
    parser.add_argument("--profiles", help=f"some of {','.join(PROFILES)}, without spaces")
    parser.add_argument("--steps", help=f"some of {','.join(TITLES)}, without spaces")
    parser.add_argument("--rounds", type=int, help="rounds that count; backlogs are drained once more, to warm up")
    parser.add_argument("--share", type=float, help="share of all backlogs and durations, such as 0.1")
    parser.add_argument("--plan", action="store_true", help="say what would be measured and how long it takes; no more")
    parser.add_argument("--render", action="store_true", help="write report and README of the last full run again")
    asked = parser.parse_args()
    plan = _chosen(asked)
    kinds = {step.kind for step in plan.steps}
    if "under_load" in kinds and "drains" not in kinds:
        parser.error("under_load begins with a burst at the rate that drains finds: measure both")
    if asked.plan:
        print(described(plan))
        return
    into = RESULTS if asked.render or plan == FULL else ELSEWHERE
    if not asked.render:
        print(described(plan), flush=True)
        run(plan, into)
    document = read(into)
    if document is None:
        sys.exit(f"nothing has been measured: there is no {into.relative_to(ROOT)}")
    print(f"{tables(document)}\n{into.relative_to(ROOT)}{reservations(document)}")
    if into == RESULTS:
        publish(document)


def _chosen(asked: argparse.Namespace) -> Plan:
    """The full or the quick plan, or what is left of it by the other options."""
    plan = QUICK if asked.quick else FULL
    steps = plan.steps
    if asked.steps:
        steps = [step for step in steps if step.kind in asked.steps.split(",")]
    if asked.profiles:
        steps = [step for step in steps if step.profile.name in asked.profiles.split(",")]
    if asked.systems:
        wanted = asked.systems.split(",")
        chosen = [step._replace(systems=[one for one in step.systems if one.name in wanted]) for step in steps]
        steps = [step for step in chosen if step.systems or step.kind == "limits"]
    if asked.rounds:
        steps = [step._replace(rounds=asked.rounds, slow_rounds=asked.rounds) for step in steps]
    if (chosen_by_hand := tuple(steps)) != tuple(plan.steps) or asked.share:
        plan = replace(plan, name="partial", steps=chosen_by_hand, share=asked.share or plan.share)
    return plan


if __name__ == "__main__":
    main()
