"""Whether one schema accepts all that another one does: what a change of the contract does to those who rely on it.

It knows the words of JSON Schema that the contract's schemas use, and refuses to judge others.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

SAYS_NOTHING = {"$schema", "$defs", "title", "description", "default", "examples"}
JUDGED = {"type", "enum", "const", "properties", "required", "items", "anyOf", "minLength", "maxLength", "format"}


def refused(before: Schema, after: Schema) -> list[str]:
    """What *before* accepts and *after* refuses, each by its path; empty if nothing is."""
    return [*_refused(_resolved(before, before), _resolved(after, after), "")]


def _refused(before: Schema, after: Schema, path: str) -> Iterator[str]:
    if unknown := (before.keys() | after.keys()) - SAYS_NOTHING - JUDGED:
        raise ValueError(f"no rule for {sorted(unknown)}")
    if "anyOf" in before or "anyOf" in after:
        for one in before.get("anyOf", [before]):
            others = [[*_refused(one, other, path)] for other in after.get("anyOf", [after])]
            if all(others):
                yield from min(others, key=len)
        return
    yield from (f"{path or 'the document'}: {what}" for what in _values(before, after))
    for name in sorted({*after.get("required", ())} - {*before.get("required", ())}):
        yield f"{_member(path, name)}: need not have been there"
    for name in before.get("properties", {}).keys() & after.get("properties", {}).keys():
        yield from _refused(before["properties"][name], after["properties"][name], _member(path, name))
    if "items" in after:
        yield from _refused(before.get("items", {}), after["items"], f"{path}[]")


def _values(before: Schema, after: Schema) -> Iterator[str]:
    for word in ("type", "format", "const"):
        if word in after and before.get(word) != after[word]:
            yield f"{word} was {before.get(word)}, is {after[word]}"
    if "enum" in after and (lost := {*before.get("enum", ["anything"])} - {*after["enum"]}):
        yield f"no longer {sorted(map(str, lost))}"
    if after.get("minLength", 0) > before.get("minLength", 0):
        yield "must be longer"
    if after.get("maxLength", float("inf")) < before.get("maxLength", float("inf")):
        yield "must be shorter"


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _resolved(schema: Any, root: Schema) -> Any:
    """*schema* with each reference replaced by what it refers to."""
    if isinstance(schema, list):
        return [_resolved(part, root) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return {word: _resolved(part, root) for word, part in schema.items() if word != "$defs"}
