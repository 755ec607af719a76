"""Dashboard and alerts: they say what they are made of, ask for metrics that exist, and lead to a runbook."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.observability import dashboard
from deploy.observability.panels import ROWS
from tests.support.prometheus import program

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "observability"
ALERTS = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DOCUMENTED = set(re.findall(r"^\| `(batchsum_\w+)", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
SERIES = re.compile(r"batchsum_\w+?(?=_bucket\b|_sum\b|_count\b|\b)")


def test_the_dashboard_is_what_its_panels_make() -> None:
    assert dashboard.FILE.read_text() == dashboard.render()


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def _queries() -> Iterator[str]:
    yield from (query.expr for row in ROWS for panel in row.panels for query in panel.queries)
    yield from (alert["expr"] for alert in ALERTS)


@pytest.mark.parametrize("query", [*_queries()])
def test_every_query_asks_for_metrics_that_are_documented(query: str) -> None:
    assert set(SERIES.findall(query)) <= DOCUMENTED


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_leads_to_a_runbook_and_stands_in_the_table(alert: dict[str, dict[str, str]]) -> None:
    file, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
    assert f"| `{alert['alert']}` |" in (ROOT / "docs" / "observability.md").read_text()
    assert alert["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")],
)
def test_promtool_finds_nothing(arguments: tuple[str, ...]) -> None:
    said = subprocess.run([program("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_alert_is_tested() -> None:
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    tested = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert tested == {alert["alert"] for alert in ALERTS}
