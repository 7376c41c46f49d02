"""What happened to pipelines, their runs and steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.events import Edge, Event, subject


@dataclass(frozen=True, kw_only=True)
class PipelineApplied(Event):
    kind = "pipelines.pipeline.applied"
    edges = (Edge("pipeline_id", "defined by", "definition_id"),)
    pipeline_id: str = subject()
    definition_id: str = subject()
    name: str
    version: int


@dataclass(frozen=True, kw_only=True)
class PipelineRetired(Event):
    kind = "pipelines.pipeline.retired"
    pipeline_id: str = subject()
    name: str


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    kind = "pipelines.run.started"
    edges = (
        Edge("run_id", "ran", "definition_id"),
        Edge("run_id", "goes on from", "resumed_from_id"),
        Edge("run_id", "used", "dataset_version_ids"),
    )
    run_id: str = subject()
    definition_id: str = subject()
    resumed_from_id: str | None = subject()
    dataset_version_ids: tuple[str, ...] = subject()
    pipeline: str
    params: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StepFinished(Event):
    """A step was executed. Other steps are named, not their artifacts: equal bytes may have several makers."""

    kind = "pipelines.step.finished"
    edges = (
        Edge("step_id", "part of", "run_id"),
        Edge("step_id", "used", "used_step_ids"),
        Edge("step_id", "used", "dataset_version_ids"),
        Edge("artifact_ids", "produced by", "step_id"),
    )
    step_id: str = subject()
    run_id: str = subject()
    used_step_ids: tuple[str, ...] = subject()
    dataset_version_ids: tuple[str, ...] = subject()
    artifact_ids: tuple[str, ...] = subject()
    step: str
    step_kind: str
    status: str
    attempts: int
    key: str | None
    code_hash: str | None
    params: Mapping[str, Any]
    outputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class StepReused(Event):
    """A step was not executed: an earlier execution with the same key stands for it."""

    kind = "pipelines.step.reused"
    edges = (Edge("step_id", "part of", "run_id"), Edge("step_id", "taken from", "original_step_id"))
    step_id: str = subject()
    run_id: str = subject()
    original_step_id: str = subject()
    step: str
    key: str


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    kind = "pipelines.run.finished"
    run_id: str = subject()
    pipeline: str
    status: str
    steps: Mapping[str, int]
    """How many steps by status."""
    steps_digest: str
    """sha-256 over every step's label, status, key and output digests."""
