"""`python -m benchmarks`: run the benchmark, and write its report."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.plot import plot
from benchmarks.profiles import PROFILES
from benchmarks.report import report, tables
from benchmarks.runner import run
from benchmarks.systems import SYSTEMS

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = ROOT / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and medium, three peers, under five minutes")
    parser.add_argument("--systems", help=f"some of {','.join(SYSTEMS)}, without spaces")
    parser.add_argument("--profiles", help=f"some of {','.join(PROFILES)}, without spaces")
    parser.add_argument("--rounds", type=int, help="rounds that count; one more is to warm up")
    parser.add_argument("--share", type=float, help="share of the backlogs to drain, such as 0.1")
    parser.add_argument("--into", type=Path, help="folder to write to; without it, only a full run is written")
    parser.add_argument("--report-only", action="store_true", help="write the report of the last run again")
    asked = parser.parse_args()
    if asked.report_only:
        _write(asked.into or RESULTS, asked.into or DOCUMENTS)
        return
    plan = _chosen(asked)
    document = run(plan)
    print(tables(document))
    if plan == FULL or asked.into:
        results = asked.into or RESULTS
        results.mkdir(parents=True, exist_ok=True)
        (results / "latest.json").write_text(json.dumps(document, indent=1) + "\n")
        _write(results, asked.into or DOCUMENTS)


def _chosen(asked: argparse.Namespace) -> Plan:
    plan = QUICK if asked.quick else FULL
    if asked.systems:
        names = asked.systems.split(",")
        plan = replace(plan, name="partial", systems=tuple(SYSTEMS[name] for name in names))
    if asked.profiles:
        plan = replace(plan, name="partial", profiles=tuple(PROFILES[name] for name in asked.profiles.split(",")))
    if asked.rounds:
        plan = replace(plan, name="partial", rounds=asked.rounds)
    return replace(plan, name="partial", share=asked.share) if asked.share else plan


def _write(results: Path, documents: Path) -> None:
    document = json.loads((results / "latest.json").read_text())
    (documents / "benchmarks.svg").write_text(plot(document))
    (documents / "benchmarks.md").write_text(report(document, plot="benchmarks.svg"))
    print(f"written: {documents}/benchmarks.md and benchmarks.svg")


if __name__ == "__main__":
    main()
