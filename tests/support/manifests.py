"""The manifests in deploy/kubernetes, as `kubectl kustomize` makes them."""

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("base", "scaled", "static")
NAME = "batchsum"

Resource = dict[str, Any]

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@functools.cache
def render(folder: Path) -> list[Resource]:
    """All resources of a folder with a kustomization.yaml."""
    made = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return [*yaml.safe_load_all(made.stdout)]


class Manifests:
    """The resources of one overlay."""

    def __init__(self, overlay: str) -> None:
        self.overlay = overlay
        self.resources = render(FOLDER / overlay)

    def one(self, *kinds: str) -> Resource:
        """The only resource of these kinds."""
        (found,) = (resource for resource in self.resources if resource["kind"] in kinds)
        return found

    @property
    def workload(self) -> Resource:
        """What makes the pods."""
        return self.one("Deployment", "StatefulSet")

    @property
    def pod(self) -> Resource:
        """What each of its pods is to be."""
        return dict(self.workload["spec"]["template"]["spec"])

    @property
    def container(self) -> Resource:
        """The only container of a pod."""
        (container,) = self.pod["containers"]
        return dict(container)

    @property
    def volumes(self) -> dict[str, Resource]:
        """The volumes, by the path at which the container sees them."""
        made = {volume["name"]: volume for volume in self.pod["volumes"]}
        return {mount["mountPath"]: made[mount["name"]] for mount in self.container["volumeMounts"]}

    def selectors(self) -> Iterator[Resource]:
        """Everything by which a resource says which pods are its own."""
        yield self.workload["spec"]["selector"]
        yield self.one("PodDisruptionBudget")["spec"]["selector"]
        yield self.one("NetworkPolicy")["spec"]["podSelector"]
        yield from (constraint["labelSelector"] for constraint in self.pod["topologySpreadConstraints"])
