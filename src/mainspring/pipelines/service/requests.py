"""What a driver says of its run, as the service takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.pipelines.model.runs import Output, StepKind, StepStatus
from mainspring.tracking.model import Artifact, Point


@dataclass(frozen=True)
class Start:
    """A run about to begin; ids are the driver's, so that a repeated request begins nothing twice."""

    run_id: str
    definition: Mapping[str, Any]
    params: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, Any]]
    environment_id: str | None
    resumed_from: str | None
    driver: Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A step about to begin, and what may stand for it.

    uncached  why the cache must not be asked, or None.
    """

    step_id: str
    name: str
    ordinal: int
    kind: StepKind
    key: str | None = None
    parts: Mapping[str, Any] | None = None
    needs: Sequence[str] = ()
    uncached: str | None = None


@dataclass(frozen=True)
class Finish:
    """How a step ended, with all it gave and said.

    contents   bytes of small outputs and of a short log by digest; the larger ones have been uploaded.
    has_begun  records of the step were sent before, by `record`.
    """

    step_id: str
    status: StepStatus
    attempts: int
    outputs: Sequence[Output] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, str] | None = None
    log: Mapping[str, Any] | None = None
    is_deterministic: bool | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    points: Sequence[Point] = ()
    artifacts: Sequence[Artifact] = ()
    has_begun: bool = False

    @property
    def has_records(self) -> bool:
        return bool(self.has_begun or self.params or self.points or self.artifacts)


@dataclass(frozen=True)
class Skip:
    """A step that was called and never begun, since something it needs failed."""

    step_id: str
    name: str
    ordinal: int
    kind: StepKind
    needs: Sequence[str]


@dataclass(frozen=True)
class Reuse:
    """A step for which its driver knows the standing execution; `original_id` came with a hint."""

    claim: Claim
    original_id: str


@dataclass(frozen=True)
class Exchange:
    """What a driver says at one moment."""

    claims: Sequence[Claim] = ()
    finishes: Sequence[Finish] = ()
    reuses: Sequence[Reuse] = ()


@dataclass(frozen=True)
class Hint:
    """An execution that may stand for another of its key; `source` made the outputs."""

    key: str
    step_id: str
    outputs: Sequence[Mapping[str, Any]]
    source: Mapping[str, str]


@dataclass(frozen=True)
class Hints:
    """known: by key, for every step; kept: by label, of the run that is gone on from, cacheable or not."""

    known: Mapping[str, Hint]
    kept: Mapping[str, Hint]
