"""How the number of instances follows the load: with KEDA, and without."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support.manifests import FOLDER, NAME, Manifests, needs_kubectl, render

pytestmark = needs_kubectl

ROOT = FOLDER.parents[1]
PAGE = ROOT / "docs" / "deployment.md"
DOCUMENTED = set(re.findall(r"^\| `(batchsum_\w+)", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.MULTILINE))

COUNT = {"type": "integer", "minimum": 1}


def _exactly(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = required | optional
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


# No package ships KEDA's own schema. This is the part of it that is used here, and nothing else is let pass.
SCALED_OBJECT = _exactly(
    {
        "apiVersion": {"const": "keda.sh/v1alpha1"},
        "kind": {"const": "ScaledObject"},
        "metadata": {"type": "object"},
        "spec": _exactly(
            {
                "scaleTargetRef": _exactly({"name": {"type": "string"}}),
                "triggers": {
                    "type": "array",
                    "minItems": 1,
                    "items": _exactly(
                        {
                            "type": {"const": "prometheus"},
                            "metadata": _exactly(
                                {
                                    "serverAddress": {"type": "string"},
                                    "query": {"type": "string"},
                                    "threshold": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
                                },
                                ignoreNullValues={"enum": ["true", "false"]},
                            ),
                        },
                        name={"type": "string"},
                        metricType={"enum": ["Value", "AverageValue"]},
                    ),
                },
            },
            minReplicaCount=COUNT,
            maxReplicaCount=COUNT,
            pollingInterval=COUNT,
            advanced=_exactly({"horizontalPodAutoscalerConfig": _exactly({"behavior": {"type": "object"}})}),
        ),
    }
)


@pytest.fixture(scope="module")
def scaled() -> dict[str, Any]:
    return dict(Manifests("scaled").one("ScaledObject"))


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, Any]:
    """The alternative, in place of KEDA's, as the kustomization says how."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "scaled" / "kustomization.yaml"
    text = file.read_text("utf-8")
    assert text.count("  - scaled-object.yaml") == 1
    file.write_text(text.replace("  - scaled-object.yaml", "  - horizontal-pod-autoscaler.yaml"))
    (found,) = (made for made in render(tmp_path / "scaled") if made["kind"] == "HorizontalPodAutoscaler")
    return dict(found)


def queries(scaled: dict[str, Any]) -> list[str]:
    return [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]


def test_the_scaled_object_is_what_keda_takes(scaled: dict[str, Any]) -> None:
    Draft202012Validator(SCALED_OBJECT).validate(scaled)


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_plain_one_is_what_kubernetes_takes(plain: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(plain, version, strict=True)


def test_what_is_scaled_has_no_number_of_its_own() -> None:
    """Or every `kubectl apply` would set it back."""
    assert "replicas" not in Manifests("scaled").workload["spec"]
    assert "replicas" in Manifests("base").workload["spec"]


def test_both_scale_the_same_deployment_by_the_same_figures(scaled: dict[str, Any], plain: dict[str, Any]) -> None:
    ours, theirs = scaled["spec"], plain["spec"]
    assert ours["scaleTargetRef"]["name"] == theirs["scaleTargetRef"]["name"] == NAME
    assert (ours["minReplicaCount"], ours["maxReplicaCount"]) == (theirs["minReplicas"], theirs["maxReplicas"])
    assert ours["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == theirs["behavior"]
    thresholds = [float(trigger["metadata"]["threshold"]) for trigger in ours["triggers"]]
    assert thresholds == [_number(metric["external"]["target"]["value"]) for metric in theirs["metrics"]]


def _number(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def test_some_instance_is_always_there_to_tell_the_lag(scaled: dict[str, Any]) -> None:
    assert scaled["spec"]["minReplicaCount"] >= 1
    assert {trigger["metadata"]["ignoreNullValues"] for trigger in scaled["spec"]["triggers"]} == {"false"}


def test_queries_ask_for_metrics_that_are_documented(scaled: dict[str, Any]) -> None:
    for query in queries(scaled):
        asked = set(re.findall(r"batchsum_\w+", query))
        assert asked
        assert asked <= DOCUMENTED


def test_the_page_has_the_adapters_rules_for_the_plain_one(scaled: dict[str, Any], plain: dict[str, Any]) -> None:
    (block,) = re.findall(r"```yaml\n(externalRules:.+?)```", PAGE.read_text("utf-8"), re.DOTALL)
    rules = yaml.safe_load(block)["externalRules"]
    assert [rule["metricsQuery"] for rule in rules] == queries(scaled)
    wanted = [metric["external"]["metric"]["name"] for metric in plain["spec"]["metrics"]]
    assert [rule["name"]["as"] for rule in rules] == wanted


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Prometheus) is not installed")
def test_queries_are_prometheus_own_and_answer_with_one_number(scaled: dict[str, Any], tmp_path: Path) -> None:
    """As KEDA demands. Two instances of two workers, of which three are busy; one of their four partitions is late."""
    series = {
        'batchsum_lag_seconds{instance="a",partition="0"}': "120+0x9",
        'batchsum_lag_seconds{instance="a",partition="1"}': "0+0x9",
        'batchsum_lag_seconds{instance="b",partition="2"}': "0+0x9",
        'batchsum_workers_busy{instance="a"}': "2+0x9",
        'batchsum_workers_busy{instance="b"}': "1+0x9",
        'batchsum_workers{instance="a"}': "2+0x9",
        'batchsum_workers{instance="b"}': "2+0x9",
    }
    answers = [{"labels": "{}", "value": 120}, {"labels": "{}", "value": 0.75}]
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": query, "eval_time": "9m", "exp_samples": [answer]}
            for query, answer in zip(queries(scaled), answers, strict=True)
        ],
    }
    file = tmp_path / "queries.test.yml"
    file.write_text(json.dumps({"tests": [case]}))
    said = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
