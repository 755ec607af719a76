"""Dashboard and alerts on a real Prometheus, which scrapes a real instance under load."""

import math
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from deploy.observability.panels import ROWS, Query
from tests.support.brokers import Broker
from tests.support.loaded import loaded_instance
from tests.support.prometheus import Prometheus, program, scraping

# The first test starts a broker and an instance.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

OBSERVABILITY = Path(__file__).parents[2] / "deploy" / "observability"
ALERTS = [
    rule for group in yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """One that has scraped an instance under load for some seconds, with our alerts."""
    program("prometheus")  # nothing is started in vain
    directory = tmp_path_factory.mktemp("prometheus")
    async with (
        loaded_instance(broker, directory) as client,
        scraping(str(client.base_url), directory, rule_file=OBSERVABILITY / "alerts.yml") as prometheus,
    ):
        await prometheus.until("count_over_time(batchsum_ready[5m]) >= 5")
        yield prometheus


@pytest.mark.parametrize("query", [query for row in ROWS for panel in row.panels for query in panel.queries])
async def test_every_query_of_the_dashboard_has_figures(prometheus: Prometheus, query: Query) -> None:
    assert all(math.isfinite(figure) for figure in await figures(prometheus, query))


@pytest.mark.parametrize("title", ["Ready instances", "From fetch to durable", "Bytes a second", "Records of a chunk"])
async def test_what_the_dashboard_shows_of_work_is_more_than_nothing(prometheus: Prometheus, title: str) -> None:
    (panel,) = (panel for row in ROWS for panel in row.panels if panel.title == title)
    for query in panel.queries:
        assert all(figure > 0 for figure in await figures(prometheus, query))


async def figures(prometheus: Prometheus, query: Query) -> list[float]:
    """What the dashboard would show for *query* now."""
    asked = query.expr.replace("$job", "batchsum").replace("$__rate_interval", "30s")
    series = await prometheus.query(asked)
    assert series, asked
    return [float(one["value"][1]) for one in series]


async def test_every_alert_is_followed_and_the_one_that_has_a_reason_fires(prometheus: Prometheus) -> None:
    await prometheus.until('ALERTS{alertname="BatchsumDeadLetters", alertstate="firing", code="invalid_json"}')
    rules = {rule["name"]: rule for rule in await prometheus.rules()}
    assert {name: rule["health"] for name, rule in rules.items()} == dict.fromkeys(rules, "ok")
    for name in ("BatchsumDown", "BatchsumNotReady", "BatchsumNoProgress", "BatchsumCannotPublish"):
        assert rules[name]["state"] == "inactive", name


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
async def test_what_an_alert_looks_at_is_there(prometheus: Prometheus, alert: dict[str, str]) -> None:
    for name in set(re.findall(r"batchsum_\w+", alert["expr"])):
        assert await prometheus.query(name), name
    await prometheus.query(alert["expr"])
