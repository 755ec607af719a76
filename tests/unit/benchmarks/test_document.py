"""What a run has measured is kept at once."""

from pathlib import Path

from benchmarks.document import Kept, median, read

ROW = {"system": "batchsum", "profile": "small", "batches_per_s": {"median": 7.0, "low": 6.0, "high": 8.0}}


def test_before_the_first_run_there_is_no_document(tmp_path: Path) -> None:
    assert read(tmp_path / "latest.json") is None


def test_a_run_that_is_interrupted_has_kept_each_step_and_does_not_call_itself_finished(tmp_path: Path) -> None:
    file = tmp_path / "results" / "latest.json"
    kept = Kept(file, {"plan": "full"})
    kept.add({"limits": {"a": 1}, "failures": []})
    kept.add({"drains": [ROW], "failures": [{"system": "faust"}]})
    document = read(file)
    assert document is not None
    assert (document["limits"], document["drains"], document["finished"]) == ({"a": 1}, [ROW], False)
    kept.add({"drains": [{**ROW, "profile": "large"}], "failures": [{"system": "quix"}]})
    kept.finish()
    document = read(file)
    assert document is not None
    assert [row["profile"] for row in document["drains"]] == ["small", "large"]
    assert [failure["system"] for failure in document["failures"]] == ["faust", "quix"]
    assert document["finished"]


def test_a_figure_is_found_by_measure_profile_and_system() -> None:
    document = {"drains": [ROW]}
    assert median(document, "drains", "small", "batchsum", "batches_per_s") == 7.0
    assert median(document, "drains", "large", "batchsum", "batches_per_s") is None
    assert median(document, "ways", "small", "batchsum", "batches_per_s") is None
