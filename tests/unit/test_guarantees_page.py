"""docs/guarantees.md promises nothing without a test, and each test that it names is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
LINK = re.compile(r"\[(test_\w+)\]\(([^)]+)\)")
ROW = re.compile(r"^\| (?P<number>G\d|\d+) \| .*\|$", re.MULTILINE)

ROWS = {row["number"]: LINK.findall(row[0]) for row in ROW.finditer(PAGE.read_text("utf-8"))}


def functions_of(file: Path) -> set[str]:
    """The names of the test functions of *file*."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, functions)}


def test_every_guarantee_and_every_fault_has_its_tests() -> None:
    assert [*ROWS] == [*(f"G{number}" for number in range(1, 10)), *map(str, range(1, 31))]
    assert [number for number, links in ROWS.items() if not links] == []


def test_every_test_that_is_named_is_there() -> None:
    links = {link for links in ROWS.values() for link in links}
    missing = [(test, file) for test, file in links if test not in functions_of(PAGE.parent / file)]
    assert missing == []


def test_every_test_of_a_fault_stands_in_the_row_of_its_number() -> None:
    tests = {test for file in (ROOT / "tests" / "chaos").glob("test_*.py") for test in functions_of(file)}
    numbered = {(str(int(test[5:7])), test) for test in tests if re.match(r"test_\d\d_", test)}
    named = {(number, test) for number, links in ROWS.items() for test, _ in links if re.match(r"test_\d\d_", test)}
    assert {number for number, _ in numbered} == {str(number) for number in range(1, 31)}
    assert {row for row in named if not row[0].startswith("G")} == numbered
