"""Report and README say what was measured, and what must be held against it."""

from typing import Any
from xml.etree import ElementTree as ET

from benchmarks.bars import TIMES
from benchmarks.plot import plot
from benchmarks.publish import figures
from benchmarks.report import report


def figure(value: float) -> dict[str, float]:
    return {"median": value, "low": value * 0.9, "high": value * 1.1}


def drained(system: str, title: str, batches_per_s: float) -> dict[str, Any]:
    names = (
        *("batches", "integers_per_s", "cpu_s_per_million", "parent_cpu_s_per_million", "broker_cpu_s_per_million"),
        *("memory_peak_mib", "memory_peak_first_half_mib", "first_result_s"),
    )
    row = {"system": system, "title": title, "version": "1.0", "profile": "small", "rounds": 3}
    return {**row, "batches_per_s": figure(batches_per_s), **{name: figure(1.0) for name in names}}


def document(**others: Any) -> dict[str, Any]:
    made = {
        "plan": "full",
        "made": "2026-01-31 09:30 UTC",
        "machine": {"processor": "a processor", "broker": "a <broker>"},
        "method": "By a sundial.",
        "busy_before": 0.01,
        "workers": 2,
        "finished": True,
        "minutes": 38.4,
        "failures": [],
        "drains": [drained("batchsum", "batchsum", 200_000.0), drained("arroyo", "Arroyo", 50_000.0)],
    }
    return {**made, **others}


def test_a_bar_that_is_missed_is_printed_plainly_in_report_and_readme() -> None:
    assert f"| small: against Arroyo | at least 8 {TIMES} | 4.00 {TIMES} | **missed** |" in report(
        document(), plot="p.svg"
    )
    assert f"| small: against Arroyo | at least 8 {TIMES} | 4.00 {TIMES} |" in figures(document())


def test_rates_stand_in_a_row_for_each_system_with_the_ratio_to_ours() -> None:
    assert f"| Arroyo | 50,000 (4.00 {TIMES}) |" in figures(document())
    assert "| batchsum | **200,000** |" in figures(document())


def test_figures_of_a_busy_machine_or_of_half_a_run_say_so_wherever_they_are_read() -> None:
    for write in (lambda of: report(of, plot="p.svg"), figures):
        assert "**" not in write(document()).partition("|")[0]
        assert "Provisional: the machine was 30% busy" in write(document(busy_before=0.3))
        assert "The run was interrupted" in write(document(finished=False))


def test_a_report_tells_how_its_own_figures_were_measured() -> None:
    assert "## How it is measured\n\nBy a sundial.\n" in report(document(), plot="p.svg")


def test_whoever_failed_is_in_the_report_with_what_happened() -> None:
    failed = {"system": "faust", "measure": "backlog, small", "error": "Ended: a | b\nc"}
    assert "| faust | backlog, small | Ended: a \\| b c |" in report(document(failures=[failed]), plot="p.svg")


def test_the_picture_is_xml_whose_bars_are_longer_for_whoever_is_quicker() -> None:
    root = ET.fromstring(plot(document()))
    bars = [float(bar.attrib["width"]) for bar in root.iter() if bar.attrib.get("class", "").startswith("bar")]
    assert len(bars) == 2
    assert bars[0] > bars[1] > 0
