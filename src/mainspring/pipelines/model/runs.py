"""Runs of pipelines and the executions in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NewType

from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import Conflict

RunId = NewType("RunId", str)
StepId = NewType("StepId", str)

RunStatus = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]
StepStatus = Literal["running", "succeeded", "cached", "failed", "cancelled", "skipped", "interrupted"]
StepKind = Literal["step", "operation", "choice"]

DONE: tuple[StepStatus, ...] = ("succeeded", "cached")
SILENCE = timedelta(seconds=30)
"""After which a run whose driver says nothing is taken as interrupted."""
HEARTBEAT_S = 5.0


@dataclass(frozen=True)
class Output:
    """A stored output: `digest` of its bytes, `kind` in a word, `materializer` and `meta` to read it."""

    name: str
    digest: str
    size_bytes: int
    kind: str
    materializer: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Definition:
    """A pipeline as it was written: `hash` is the digest of `definition`, and its id."""

    hash: str
    name: str
    definition: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class AppliedPipeline:
    """A pipeline as applied; `version` counts its definitions up."""

    id: str
    name: str
    version: int
    definition_hash: str
    applied_at: datetime
    is_retired: bool


@dataclass(frozen=True)
class Run:
    """One run of a pipeline.

    params  plain parameters by name.
    inputs  dataset parameters by name: {"version_id", "reference", ...}.
    driver  {"host", "pid"} of the process that runs it.
    """

    id: RunId
    project: str
    pipeline: str
    definition_hash: str
    params: Mapping[str, Any]
    inputs: Mapping[str, Any]
    environment_id: str | None
    resumed_from: str | None
    driver: Mapping[str, Any]
    status: RunStatus
    error: Mapping[str, str] | None
    cancel_requested: bool
    created_by: str
    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class StepRun:
    """One execution in a run, or what stands for it.

    ordinal    which call of the step of that name it was, from 0.
    key        see `model.keys`; None for operations and choices.
    parts      what the key was made of, in JSON.
    needs      ids of the executions of this run whose outputs it used.
    reused     {"step_id", "run_id"} of the execution that stands for it, where it was cached.
    uncached   why the cache was not asked, or None.
    facts      of an operation its answer, of a choice its scores.
    log        {"file", "digest", "size_bytes"}, where it printed something.
    is_deterministic  whether a second execution gave the same bytes; None where nobody looked.
    """

    id: StepId
    project: str
    run_id: RunId
    name: str
    ordinal: int
    kind: StepKind
    status: StepStatus
    key: str | None
    parts: Mapping[str, Any] | None
    needs: Sequence[str]
    outputs: Sequence[Mapping[str, Any]]
    reused: Mapping[str, str] | None
    uncached: str | None
    facts: Mapping[str, Any]
    attempts: int
    error: Mapping[str, str] | None
    log: Mapping[str, Any] | None
    is_deterministic: bool | None
    started_at: datetime
    ended_at: datetime | None

    @property
    def label(self) -> str:
        return label(self.name, self.ordinal)


def label(name: str, ordinal: int) -> str:
    """`train` for the first call of a step in a run, `train[1]` for the second."""
    return f"{name}[{ordinal}]" if ordinal else name


def require_running(run: Run) -> None:
    """Raise Conflict where the run has ended: its driver must stop."""
    if run.status != "running":
        raise Conflict(
            f"run {run.id}",
            wanted="a running one",
            found=f"one that is {run.status}",
            fix=f"Go on with `mainspring run {run.pipeline} --resume {run.id}`.",
        )


def is_silent(run: Run, now: datetime) -> bool:
    return run.status == "running" and now - run.heartbeat_at > SILENCE


def status_counts(steps: Sequence[StepRun]) -> dict[str, int]:
    return dict(Counter(step.status for step in steps))


def steps_digest(steps: Sequence[StepRun]) -> str:
    """sha-256 over what each step was, how it ended and what it gave; the order of finishing does not count."""
    told = [[s.label, s.status, s.key, sorted([o["name"], o["digest"]] for o in s.outputs)] for s in steps]
    return digest(sorted(told, key=lambda entry: str(entry[0])))
