"""The manifests: they are what Kubernetes takes, and agree with the settings, the image and what an instance needs."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from config.settings import Settings
from config.sources import SettingsError, load
from consumer.commands.check.machine import STOP_S, Machine, grace, machine
from consumer.kafka.survey.addresses import Address
from consumer.kafka.survey.cluster import Cluster, Partition, Topic
from tests.support.http import serving
from tests.support.instance import FakeInstance
from tests.support.manifests import FOLDER, NAME, OVERLAYS, Manifests, needs_kubectl

pytestmark = needs_kubectl

ROOT = FOLDER.parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
CREDENTIALS = "/etc/batchsum/credentials"
POD_NAME = "batchsum-0"
VERSIONS = ("1.31", "1.37")  # of Kubernetes: the oldest that knows all that is used, and the newest
# What deployment.yaml says that its memory is for.
PARTITIONS, BROKERS, RECORD_BYTES_MAX = 8, 3, 1_048_588
MIB = 1024 * 1024


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return Manifests(request.param)


@pytest.fixture
def settings(manifests: Manifests, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """What an instance in a pod makes of its environment."""
    for name in ("ca.crt", "password"):
        (tmp_path / name).write_text("secret")
    for name, value in environment(manifests).items():
        monkeypatch.setenv(name, value.replace(CREDENTIALS, str(tmp_path)))
    return load().settings


def environment(manifests: Manifests) -> dict[str, str]:
    """What a pod's container finds there."""
    given = manifests.one("ConfigMap")
    assert manifests.container["envFrom"] == [{"configMapRef": {"name": given["metadata"]["name"]}}]
    own = {entry["name"]: POD_NAME for entry in manifests.container.get("env", [])}
    return dict(given["data"]) | own


def size(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi)", quantity).groups()  # type: ignore[union-attr] # or it fails
    return int(number) * {"Mi": MIB}[unit]


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_every_resource_is_what_kubernetes_takes(manifests: Manifests, kubernetes: str) -> None:
    for resource in manifests.resources:
        if resource["kind"] != "ScaledObject":  # is KEDA's, see test_scaling.py
            kubernetes_validate.validate(resource, kubernetes, strict=True)


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_a_word_that_kubernetes_does_not_know_is_found(kubernetes: str) -> None:
    workload = Manifests("base").workload
    workload = workload | {"spec": workload["spec"] | {"gracePeriod": 60}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(workload, kubernetes, strict=True)


def test_all_names_are_one_and_every_selector_selects_these_pods_and_no_others(manifests: Manifests) -> None:
    names = {resource["metadata"]["name"] for resource in manifests.resources if resource["kind"] != "ConfigMap"}
    assert names == {NAME}
    labels = manifests.workload["spec"]["template"]["metadata"]["labels"]
    assert labels
    assert {tuple(selector["matchLabels"].items()) for selector in manifests.selectors()} == {tuple(labels.items())}


def test_the_image_is_of_this_version(manifests: Manifests) -> None:
    assert manifests.container["image"].endswith(f"/{NAME}:{version(NAME)}")


def test_the_environment_names_settings_that_there_are(settings: Settings) -> None:
    assert settings.http_enabled
    assert settings.sasl_password_file is not None


def test_kubernetes_adds_nothing_to_the_environment_that_would_be_no_setting(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a Service named batchsum it would, and an instance takes what begins so for a setting that is misspelt."""
    assert manifests.pod["enableServiceLinks"] is False
    monkeypatch.setenv("BATCHSUM_PORT", "tcp://10.0.0.1:8080")
    with pytest.raises(SettingsError, match="BATCHSUM_PORT"):
        load()


def test_the_port_is_that_of_the_settings_everywhere(manifests: Manifests, settings: Settings) -> None:
    assert settings.http_host == "0.0.0.0"
    assert manifests.container["ports"] == [{"name": "http", "containerPort": settings.http_port}]
    notes = manifests.workload["spec"]["template"]["metadata"]["annotations"]
    assert (notes["prometheus.io/port"], notes["prometheus.io/path"]) == (str(settings.http_port), "/metrics")
    (entrance,) = manifests.one("NetworkPolicy")["spec"]["ingress"]
    assert [port["port"] for port in entrance["ports"]] == ["http"]


def test_the_brokers_can_be_reached_and_so_can_names(manifests: Manifests, settings: Settings) -> None:
    ways = [port["port"] for way in manifests.one("NetworkPolicy")["spec"]["egress"] for port in way["ports"]]
    assert int(settings.bootstrap_servers.rpartition(":")[2]) in ways
    assert 53 in ways


async def test_probes_ask_for_what_the_application_has(manifests: Manifests, settings: Settings) -> None:
    notes = manifests.workload["spec"]["template"]["metadata"]["annotations"]
    asked = {name: probe["httpGet"] for name, probe in probes(manifests).items()}
    assert asked == {
        "startupProbe": {"path": "/livez", "port": "http"},
        "livenessProbe": {"path": "/livez", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }
    async with serving(FakeInstance(), http_batches_enabled=settings.http_batches_enabled) as client:
        for path in ("/livez", "/readyz", notes["prometheus.io/path"]):
            assert (await client.get(path)).status_code == 200


def probes(manifests: Manifests) -> dict[str, dict[str, Any]]:
    return {name: probe for name, probe in manifests.container.items() if name.endswith("Probe")}


def window_ms(probe: dict[str, Any]) -> int:
    """How long a probe may fail before something is done about it."""
    return int(probe["periodSeconds"]) * int(probe["failureThreshold"]) * 1000


def test_probes_are_slower_than_what_the_instance_does_by_itself(manifests: Manifests, settings: Settings) -> None:
    """It gives up by itself, with an exit code and a reason, where a kubelet would only kill it."""
    # Workers first; then the topics, the producers and the group, each of which may be waited for.
    assert (
        window_ms(probes(manifests)["startupProbe"])
        >= settings.worker_start_timeout_ms + 3 * settings.connect_timeout_ms
    )
    assert window_ms(probes(manifests)["livenessProbe"]) > settings.stall_timeout_ms


def test_whoever_stops_it_is_more_patient_than_its_drain_budget(manifests: Manifests, settings: Settings) -> None:
    patience_s = manifests.pod["terminationGracePeriodSeconds"]
    assert patience_s > settings.drain_timeout_ms / 1000
    assert list(grace(settings, patience_s)) == []


def test_check_finds_nothing_wrong_with_the_limits(manifests: Manifests, settings: Settings) -> None:
    resources = manifests.container["resources"]
    assert resources["requests"] == resources["limits"]
    cpus = int(resources["limits"]["cpu"])
    assert settings.workers is not None
    assert settings.workers < cpus  # one is the parent's
    in_memory = sum(size(made["emptyDir"]["sizeLimit"]) for made in manifests.volumes.values() if "emptyDir" in made)
    granted = Machine(cpus, float(cpus), size(resources["limits"]["memory"]) - in_memory, open_files=1_024)
    assert list(machine(settings, cluster(settings), granted)) == []


def cluster(settings: Settings) -> Cluster:
    requests = Topic(
        settings.request_topic,
        partitions=[Partition(BROKERS, BROKERS, has_leader=True)] * PARTITIONS,
        configuration={"max.message.bytes": str(RECORD_BYTES_MAX)},
    )
    return Cluster(
        bootstrap=[], brokers=[Address(f"kafka-{n}", 9093) for n in range(BROKERS)], topics={requests.name: requests}
    )


def test_the_comment_names_what_the_memory_is_for() -> None:
    text = (FOLDER / "base" / "deployment.yaml").read_text("utf-8")
    assert f"{PARTITIONS} partitions on {BROKERS} brokers" in text


def test_pods_have_no_rights_that_they_do_not_need(manifests: Manifests) -> None:
    """The profile `restricted` of Kubernetes' Pod Security Standards, and a root that cannot be written to."""
    pod, container = manifests.pod, manifests.container
    user, group = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "fsGroup": int(group),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_every_file_that_it_reads_or_writes_is_in_a_volume(manifests: Manifests) -> None:
    files = [value for name, value in environment(manifests).items() if name.endswith("FILE")]
    assert {str(Path(file).parent) for file in files} == {CREDENTIALS}
    (credentials,) = (mount for mount in manifests.container["volumeMounts"] if mount["mountPath"] == CREDENTIALS)
    assert credentials["readOnly"] is True
    assert manifests.volumes[CREDENTIALS]["secret"]["defaultMode"] == 0o440
    heartbeat = re.search(r"BATCHSUM_HEARTBEAT_FILE=(\S+)", DOCKERFILE)
    assert heartbeat is not None
    assert "emptyDir" in manifests.volumes[str(Path(heartbeat[1]).parent)]


def test_the_page_tells_how_to_make_the_secret(manifests: Manifests) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    secret = manifests.volumes[CREDENTIALS]["secret"]["secretName"]
    command = re.search(rf"kubectl create secret generic {secret} (.+)", page)
    assert command is not None
    files = {Path(value).name for name, value in environment(manifests).items() if name.endswith("FILE")}
    assert set(re.findall(r"--from-file=([\w.]+)", command[1])) == files


def test_no_update_takes_an_instance_away_before_there_is_another() -> None:
    assert Manifests("base").workload["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "100%", "maxUnavailable": 0}


def test_a_pod_of_the_stateful_set_has_its_own_name_in_the_group() -> None:
    (own,) = Manifests("static").container["env"]
    pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
    assert own == {"name": "BATCHSUM_GROUP_INSTANCE_ID", "valueFrom": pod_name}


@pytest.mark.parametrize("manifests", ["static"], indirect=True)
def test_a_pod_of_the_stateful_set_may_be_away_for_as_long_as_it_takes_to_restart(settings: Settings) -> None:
    assert settings.group_instance_id == POD_NAME
    assert settings.session_timeout_ms > STOP_S * 1000 + settings.worker_start_timeout_ms


def test_every_file_is_in_use() -> None:
    named = {name for folder in OVERLAYS for name in _named(FOLDER / folder / "kustomization.yaml")}
    there = {file.name for file in FOLDER.rglob("*") if file.is_file()}
    assert there == named | {"kustomization.yaml"}


def _named(file: Path) -> Iterator[str]:
    yield from re.findall(r"[\w-]+\.(?:yaml|env)", file.read_text("utf-8"))
