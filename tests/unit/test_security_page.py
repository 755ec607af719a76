"""SECURITY.md promises nothing without a test, and each test that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "SECURITY.md", ROOT / "docs" / "security.md"]
LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")
ROW = re.compile(r"^\| (?!\|)(?!---).*\|$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert links
    for text, target in links:
        file = page.parent / target
        assert file.is_file(), f"{target} is not there"
        if text.startswith("test_"):
            assert re.search(rf"def {text}\(", file.read_text("utf-8")), f"{target} has no {text}"


def test_every_claim_has_its_test() -> None:
    rows = [row for row in ROW.findall(PAGES[0].read_text("utf-8")) if not row.startswith("| |")]
    assert len(rows) >= 15
    for row in rows:
        assert "[test_" in row, row
