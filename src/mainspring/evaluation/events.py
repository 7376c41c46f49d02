"""What happened to evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.events import Edge, Event, subject


@dataclass(frozen=True, kw_only=True)
class EvaluationRecorded(Event):
    """A model was measured. `measurements` holds value, bounds, confidence, rows and blocks of each metric."""

    kind = "evaluation.evaluation.recorded"
    edges = (
        Edge("evaluation_id", "measures", "model_id"),
        Edge("evaluation_id", "measured on", "dataset_version_id"),
        Edge("evaluation_id", "measured from", "predictions_digest"),
        Edge("evaluation_id", "made by", "run_id"),
    )
    evaluation_id: str = subject()
    run_id: str | None = subject()
    model_id: str | None = subject()
    dataset_version_id: str | None = subject()
    predictions_digest: str | None = subject()
    measurements: tuple[Mapping[str, Any], ...]
