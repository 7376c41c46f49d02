"""What applying definitions of pipelines would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mainspring.access.model import checked_name
from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.model.runs import AppliedPipeline


@dataclass(frozen=True)
class Change:
    """What applying does to one pipeline; `revision` is the one it has afterwards."""

    kind: Literal["pipeline"]
    name: str
    action: Literal["create", "change", "delete", "none"]
    revision: int
    definition_hash: str
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What changed, and its type or the digest of its code before and after."""


def plan(
    known: Sequence[AppliedPipeline],
    applied: Mapping[str, Mapping[str, Any]],
    definitions: Sequence[Mapping[str, Any]],
    *,
    prune: bool,
) -> list[Change]:
    """One change per pipeline, by name; `applied` holds the definitions of the known ones by hash.

    Raises InvalidInput for two definitions of one name.
    """
    names = [checked_name("pipeline", str(definition["name"])) for definition in definitions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        found = str(names.count(twice[0]))
        raise InvalidInput(f"pipeline {twice[0]}", wanted="one definition", found=found, fix="Rename one.")
    before = {pipeline.name: pipeline for pipeline in known}
    changes = [_change(before.get(str(definition["name"])), applied, definition) for definition in definitions]
    if prune:
        gone = [pipeline for pipeline in known if pipeline.name not in names and not pipeline.is_retired]
        changes += [Change("pipeline", p.name, "delete", p.version, p.definition_hash) for p in gone]
    return sorted(changes, key=lambda change: change.name)


def _change(
    before: AppliedPipeline | None, applied: Mapping[str, Mapping[str, Any]], definition: Mapping[str, Any]
) -> Change:
    name, hash = str(definition["name"]), digest(definition)
    if before is None:
        return Change("pipeline", name, "create", 1, hash)
    if before.definition_hash == hash and not before.is_retired:
        return Change("pipeline", name, "none", before.version, hash)
    fields = _differences(applied.get(before.definition_hash, {}), definition)
    return Change("pipeline", name, "create" if before.is_retired else "change", before.version + 1, hash, fields)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    found = {}
    for kind, of in (("parameter", "parameters"), ("code of", "code")):
        was, is_ = before.get(of, {}), now.get(of, {})
        for name in sorted(was.keys() | is_.keys()):
            if was.get(name) != is_.get(name):
                found[f"{kind} {name}"] = (_short(was.get(name)), _short(is_.get(name)))
    return found


def _short(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, str):
        return value[:8]
    return f"{value['type']} = {value['default']!r}" if "default" in value else str(value["type"])
