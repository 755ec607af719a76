"""README and docs/benchmarks.md hold what has been measured, and nothing else."""

from benchmarks.document import read
from benchmarks.publish import NOT_YET, README, RESULTS, SIZING, rendered


def test_readme_report_and_picture_are_what_the_committed_results_render_to() -> None:
    """Without results, the README says so, and there is no report."""
    for file, text in rendered(read(RESULTS)).items():
        there = file.read_text() if file.exists() else None
        assert there == text, f"{file.name} is not what benchmarks/results/latest.json says: make bench, or --render"


def test_without_results_there_is_no_figure_to_read() -> None:
    without = dict(rendered(None))
    for page in (README, SIZING):
        assert NOT_YET in (without.pop(page) or "")
    assert set(without.values()) == {None}
