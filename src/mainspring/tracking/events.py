"""What happened to runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.events import Edge, Event, subject


@dataclass(frozen=True, kw_only=True)
class EnvironmentRecorded(Event):
    kind = "tracking.environment.recorded"
    environment_id: str = subject()
    code: Mapping[str, Any] | None
    python: str
    packages: int


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    kind = "tracking.run.started"
    edges = (Edge("run_id", "ran in", "environment_id"), Edge("run_id", "part of", "parent_id"))
    run_id: str = subject()
    parent_id: str | None = subject()
    environment_id: str | None = subject()
    name: str
    run_kind: str


@dataclass(frozen=True, kw_only=True)
class RunEnded(Event):
    """The run is closed; `records_digest` is the sha-256 of its parameters, metrics and artifacts."""

    kind = "tracking.run.ended"
    run_id: str = subject()
    status: str
    records_digest: str
    points: int
    metrics: Mapping[str, Any]
    params: Mapping[str, Any]
