"""The settings as Markdown tables, one a group, for the README.

`python -m config.reference README.md` writes them between the markers there.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from config.settings import GROUPS
from config.sources import variable

BEGIN = "<!-- settings: begin (python -m config.reference README.md) -->"
END = "<!-- settings: end -->"

_UNITS = {"_ms": "ms", "_bytes_max": "bytes", "_bytes": "bytes", "_ms_max": "ms"}


def render() -> str:
    """Return the tables of all settings."""
    return "\n".join(_lines())


def replace_in(text: str) -> str:
    """Return `text` with what stands between the markers replaced by the tables."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{after}"


def _lines() -> Iterator[str]:
    for group in GROUPS:
        yield from ("", f"### {str(group.__doc__).removesuffix('.')}", "")
        yield from ("| setting | environment | default | bounds | meaning |", "| --- | --- | --- | --- | --- |")
        for name, field in group.model_fields.items():
            cells = (f"`{name}`", f"`{variable(name)}`", _default(field), _bounds(name, field), str(field.description))
            yield f"| {' | '.join(cells)} |"


def _default(field: FieldInfo) -> str:
    if field.default in {None, ""}:
        return "unset"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _bounds(name: str, field: FieldInfo) -> str:
    lower = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    upper = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    if lower is not None:
        unit = next((f" {unit}" for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
        return f"{lower} to {upper}{unit}"
    choices = _choices(field.annotation)
    return ", ".join(f"`{choice}`" for choice in choices) if choices else _kind(field)


def _choices(annotation: object) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(str(choice) for choice in get_args(annotation))
    return tuple(choice for part in get_args(annotation) for choice in _choices(part))


def _kind(field: FieldInfo) -> str:
    kinds = {"bool": "`true`, `false`", "Path": "a path", "SecretStr": "a secret, never shown"}
    return next((words for kind, words in kinds.items() if kind in str(field.annotation)), "text")


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    readme.write_text(replace_in(readme.read_text("utf-8")), "utf-8")
