"""The permissions that docs/security.md lists, read from there: what is tested is what a reader copies."""

import argparse
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined] # its public names, which it imports but does not list
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
}

_parser = argparse.ArgumentParser()
for option in ("--bootstrap-server", "--command-config", "--allow-principal", "--operation"):
    _parser.add_argument(option, required=True)
_parser.add_argument("--add", action="store_true", required=True)
_parser.add_argument("--resource-pattern-type", default="literal")
for resource in RESOURCES:
    _parser.add_argument(f"--{resource.replace('_', '-')}")


def documented(heading: str, names: Mapping[str, str]) -> list[AclBinding]:
    """The rules that stand under *heading*, with these *names* in the place of the page's own."""
    section = re.split(
        r"^#+ ", PAGE.read_text("utf-8").partition(f"### {heading}\n")[2], maxsplit=1, flags=re.MULTILINE
    )[0]
    commands = re.findall(r"^\$ kafka-acls\.sh (.*)$", section, flags=re.MULTILINE)
    return [_rule(command, names) for command in commands]


def _rule(command: str, names: Mapping[str, str]) -> AclBinding:
    given = _parser.parse_args(shlex.split(command))
    ((kind, name),) = [(kind, getattr(given, kind)) for kind in RESOURCES if getattr(given, kind)]
    return AclBinding(
        RESOURCES[kind],
        names[name],
        ResourcePatternType[given.resource_pattern_type.upper()],
        names[given.allow_principal],
        "*",
        AclOperation[given.operation.upper()],
        AclPermissionType.ALLOW,
    )
