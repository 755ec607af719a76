"""The dashboard as Grafana wants it, made of `panels`: `python -m deploy.observability.dashboard`.

It writes grafana/dashboards/batchsum.json, which is what Grafana is given, and what is to be imported elsewhere.
"""

import json
from pathlib import Path
from typing import Any

from deploy.observability.panels import ROWS, Panel

FILE = Path(__file__).parent / "grafana" / "dashboards" / "batchsum.json"
WIDTH = 24  # columns of a Grafana page
HEIGHT = 8
STAT_HEIGHT = 4

Json = dict[str, Any]


def dashboard() -> Json:
    """The whole page."""
    panels: list[Json] = []
    top = 0
    for row in ROWS:
        panels.append(
            {
                "type": "row",
                "title": row.title,
                "id": len(panels) + 1,
                "gridPos": _place(0, top, WIDTH, 1),
                "panels": [],
            }
        )
        top += 1
        width, height = WIDTH // len(row.panels), STAT_HEIGHT if row.panels[0].stat else HEIGHT
        for number, panel in enumerate(row.panels):
            place = _place(number * width, top, width, height)
            panels.append(_panel(panel) | {"id": len(panels) + 1, "gridPos": place})
        top += height
    return {
        "uid": "batchsum",
        "title": "batchsum",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": [_job()]},
        "panels": panels,
    }


def _job() -> Json:
    return {
        "name": "job",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "query": "label_values(batchsum_build_info, job)",
        "refresh": 2,
    }


def _panel(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.warn_above is not None:
        steps.append({"color": "orange", "value": panel.warn_above or 0.5})
    drawn = {"lineWidth": 1, "fillOpacity": 20, "stacking": {"mode": "normal" if panel.stacked else "none"}}
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query.expr, "legendFormat": query.legend}
            for number, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {} if panel.stat else drawn,
            },
            "overrides": [],
        },
    }


def _place(left: int, top: int, width: int, height: int) -> Json:
    return {"x": left, "y": top, "w": width, "h": height}


def render() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(render())
