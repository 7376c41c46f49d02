"""When one execution of a step may stand for another: the cache key, and why two keys differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.kernel.canonical import digest, plain
from mainspring.pipelines.model.types import shown


@dataclass(frozen=True)
class Input:
    """digest: of the content (several artifacts: of their list); label: how a person calls it."""

    digest: str
    label: str


@dataclass(frozen=True)
class KeyParts:
    """Everything a step's result is taken to rest on.

    code         the user's functions and classes by name to digest (see `model.code`).
    types        the step's inputs and outputs by name to annotation in words.
    inputs       parameters that were given artifacts or dataset versions.
    parameters   parameters that were given plain values.
    environment  digest of the package lock, with the Python version in it.
    """

    code: Mapping[str, str]
    types: Mapping[str, str]
    inputs: Mapping[str, Input]
    parameters: Mapping[str, Any]
    environment: str
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions behind `environment`, where known; for words only."""

    @property
    def key(self) -> str:
        """sha-256 over everything but labels and package versions, which only explain."""
        inputs = {name: given.digest for name, given in self.inputs.items()}
        return digest([self.code, self.types, inputs, self.parameters, self.environment])

    def to_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = plain(self)
        return {name: value for name, value in fields.items() if name != "packages" or value}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> KeyParts:
        inputs = {name: Input(**given) for name, given in fields["inputs"].items()}
        return cls(**{**fields, "inputs": inputs})


def differences(before: KeyParts, now: KeyParts) -> list[str]:
    """In words, what made `now` another key than `before`; empty where the keys are equal."""
    return [
        *_code_differences(before.code, now.code),
        *_input_differences(before, now),
        *_environment_differences(before, now),
    ]


def closest(now: KeyParts, candidates: Iterable[KeyParts]) -> KeyParts | None:
    """The candidate with the fewest differences; the first of several. None where there is none.

    A step that was mapped over three values ran three times: the run to compare with is the one
    that differs least, not simply the last.
    """
    return min(candidates, key=lambda before: len(differences(before, now)), default=None)


def _code_differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    said = [f"code of {name} changed" for name in now if name in before and before[name] != now[name]]
    said += [f"code of {name} is now used" for name in now if name not in before]
    return said + [f"code of {name} is no longer used" for name in before if name not in now]


def _input_differences(before: KeyParts, now: KeyParts) -> list[str]:
    said = []
    for name, annotation in now.types.items():
        if before.types.get(name, annotation) != annotation:
            said.append(f"type of {name} changed: {before.types[name]} → {annotation}")
    for name, given in now.inputs.items():
        was = before.inputs.get(name)
        if was is not None and was.digest != given.digest:
            detail = f": {was.label} → {given.label}" if was.label != given.label else ""
            said.append(f"input {name} changed{detail}")
    for name, value in now.parameters.items():
        if name in before.parameters and plain(before.parameters[name]) != plain(value):
            said.append(f"parameter {name} {shown(before.parameters[name])} → {shown(value)}")
    given_before, given_now = before.inputs.keys() | before.parameters.keys(), now.inputs.keys() | now.parameters.keys()
    said += [f"argument {name} is new" for name in sorted(given_now - given_before)]
    said += [f"argument {name} is gone" for name in sorted(given_before - given_now)]
    moved = (before.inputs.keys() & now.parameters.keys()) | (before.parameters.keys() & now.inputs.keys())
    return said + [f"argument {name} was given in another way" for name in sorted(moved)]


def _environment_differences(before: KeyParts, now: KeyParts) -> list[str]:
    if before.environment == now.environment:
        return []
    names = sorted(before.packages.keys() | now.packages.keys()) if before.packages and now.packages else []
    changed = [
        f"{name} {before.packages.get(name, 'absent')} → {now.packages.get(name, 'absent')}"
        for name in names
        if before.packages.get(name) != now.packages.get(name)
    ]
    if not changed:
        return [f"environment lock changed: {before.environment[:8] or 'unknown'} → {now.environment[:8] or 'unknown'}"]
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return [f"environment lock changed: {', '.join(changed[:3])}{more}"]
