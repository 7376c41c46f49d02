"""What happened to models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.events import Edge, Event, subject


@dataclass(frozen=True, kw_only=True)
class ModelCreated(Event):
    kind = "registry.model.created"
    model_id: str = subject()
    name: str


@dataclass(frozen=True, kw_only=True)
class VersionRegistered(Event):
    kind = "registry.version.registered"
    edges = (
        Edge("model_version_id", "version of", "model_id"),
        Edge("model_version_id", "passed", "gate_id"),
        Edge("model_version_id", "stored as", "artifact_id"),
        Edge("model_version_id", "trained by", "run_id"),
        Edge("model_version_id", "trained on", "dataset_version_ids"),
        Edge("model_version_id", "trained in", "environment_id"),
    )
    model_version_id: str = subject()
    model_id: str = subject()
    artifact_id: str = subject()
    gate_id: str | None = subject()
    run_id: str | None = subject()
    dataset_version_ids: tuple[str, ...] = subject()
    environment_id: str | None = subject()
    model: str
    number: int
    size_bytes: int
    metrics: Mapping[str, Any]
    params: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class GateJudged(Event):
    kind = "registry.gate.judged"
    edges = (
        Edge("gate_id", "judged", "artifact_id"),
        Edge("gate_id", "judged by", "predictions_id"),
        Edge("gate_id", "on", "holdout_id"),
        Edge("gate_id", "against", "champion_id"),
    )
    gate_id: str = subject()
    model_id: str = subject()
    artifact_id: str = subject()
    predictions_id: str = subject()
    holdout_id: str | None = subject()
    champion_id: str | None = subject()
    model: str
    check: str
    outcome: str
    reason: str
    settings: Mapping[str, Any]
    evidence: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class AliasMoved(Event):
    """`model_version_id` is None where the alias was taken away."""

    kind = "registry.alias.moved"
    model_id: str = subject()
    model_version_id: str | None = subject()
    before_id: str | None = subject()
    model: str
    alias: str
    before: int | None
    after: int | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class VersionConverted(Event):
    """An attempt to convert has ended; `state` is equal, differs or not_convertible."""

    kind = "registry.version.converted"
    edges = (Edge("onnx_id", "converted from", "model_version_id"),)
    model_version_id: str = subject()
    model_id: str = subject()
    onnx_id: str | None = subject()
    state: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class VersionDeprecated(Event):
    kind = "registry.version.deprecated"
    model_version_id: str = subject()
    model_id: str = subject()
    model: str
    number: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ModelDeprecated(Event):
    kind = "registry.model.deprecated"
    model_id: str = subject()
    model: str
    reason: str
