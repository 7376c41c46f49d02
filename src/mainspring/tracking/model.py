"""Runs and what is recorded of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NewType

from mainspring.kernel.errors import Conflict, InvalidInput

RunId = NewType("RunId", str)
Status = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]
ENDED: tuple[Status, ...] = ("succeeded", "failed", "cancelled", "interrupted")
_KEY_LIMIT = 250


@dataclass(frozen=True)
class Point:
    """One value of a metric. `value` may be NaN or infinite; `step` counts whatever the run counts."""

    key: str
    value: float
    step: int
    time: datetime


@dataclass(frozen=True)
class Artifact:
    """A named output of a run: the blob's digest, its size, how to read it and what is known of it."""

    name: str
    digest: str
    size_bytes: int
    kind: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Environment:
    """What code ran on: lock and patch are blobs, everything else stands here.

    id           digest of all of it, so that equal environments are one.
    lock_digest  blob of the package lock.
    code         commit, branch, remote, is_dirty, patch_digest, untracked; None outside Git.
    """

    id: str
    lock_digest: str
    code: Mapping[str, Any] | None
    machine: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A run without its records.

    kind   "run", "pipeline" or "step".
    seeds  what random generators were set to, by library; empty where they were not set.
    """

    id: RunId
    project: str
    name: str
    kind: str
    parent_id: str | None
    status: Status
    environment_id: str | None
    seeds: Mapping[str, int]
    created_by: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class RunDetail:
    """A run with its parameters, the last value of each metric, its artifacts, children and environment."""

    run: Run
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    artifacts: tuple[Artifact, ...]
    children: tuple[Run, ...]
    environment: Environment | None


def require_open(run: Run) -> None:
    """Raise Conflict where the run has ended: its record is closed."""
    if run.status in ENDED:
        raise Conflict(f"run {run.id}", wanted="a running one", found=f"one that {run.status}", fix="Start a new run.")


def checked_key(kind: str, key: str) -> str:
    """`key` if it can name a parameter, metric or artifact."""
    if 0 < len(key) <= _KEY_LIMIT and key.isprintable() and key == key.strip():
        return key
    raise InvalidInput(
        f"{kind} name", wanted=f"1 to {_KEY_LIMIT} printable characters without outer spaces", found=repr(key[:80])
    )


def changed_params(before: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters not yet written. Raises Conflict where one is written with another value."""
    for key, value in new.items():
        if key in before and before[key] != value:
            raise Conflict(
                f"parameter {key}", wanted=f"its value {before[key]!r} (parameters never change)", found=repr(value)
            )
    return {key: value for key, value in new.items() if key not in before}
