"""What is stored with a version: what its registrar said, and what its file, run and predictions tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.engines.sql.contract import Database
from mainspring.evaluation.definitions import Predictions
from mainspring.evaluation.service import EvaluationService
from mainspring.kernel.errors import NotFound
from mainspring.kernel.principals import Principal
from mainspring.registry.model import Profile
from mainspring.registry.service.origins import Origin, origin_of
from mainspring.registry.work import measured
from mainspring.tracking.service import TrackingService
from mainspring.training.model import Card


@dataclass(frozen=True)
class Registration:
    """What is registered: a stored model, and what cannot be found out from its file and its run.

    run_id, metrics, params, dataset_version_ids, environment_id
                 filled in from the run that made the artifact; what is given here adds to it or
                 takes its place.
    predictions  digest of its predictions on a holdout; their metrics are taken from them.
    """

    artifact: str
    predictions: str | None = None
    run_id: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    dataset_version_ids: Sequence[str] = ()
    environment_id: str | None = None
    owner: str = ""
    license: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


class Profiles:
    """Gathers profiles from the stages that know."""

    def __init__(self, sql: Database, tracking: TrackingService, evaluation: EvaluationService) -> None:
        self._sql, self._tracking, self._evaluation = sql, tracking, evaluation

    def profile_of(self, principal: Principal, card: Card, given: Registration) -> Profile:
        """Everything known of the model; nothing is required here."""
        origin = origin_of(self._sql, principal.project, given.artifact, run_id=given.run_id)
        if given.run_id is not None and not origin.dataset_version_ids:
            of_run = origin_of(self._sql, principal.project, given.run_id)
            origin = Origin(
                origin.step_id, given.run_id, of_run.environment_id, of_run.dataset_version_ids, origin.params
            )
        logged = self._logged(principal, origin)
        return Profile(
            card=card,
            metrics={**logged, **self._measured(principal, card, given), **given.metrics},
            params={**origin.params, **given.params},
            run_id=origin.run_id or given.run_id,
            step_id=origin.step_id,
            dataset_version_ids=tuple(given.dataset_version_ids) or origin.dataset_version_ids,
            environment_id=given.environment_id or origin.environment_id,
            predictions_digest=given.predictions,
            owner=given.owner or principal.name,
            license=given.license,
            description=given.description,
            tags=given.tags,
        )

    def _logged(self, principal: Principal, origin: Origin) -> dict[str, float]:
        """What the step that made the model logged; only finite numbers say how good it is."""
        run_id = origin.step_id or origin.run_id
        if run_id is None:
            return {}
        try:
            logged = self._tracking.run(principal, run_id).metrics
        except NotFound:  # a step that logged nothing has no run of its own
            return {}
        return {key: value for key, value in logged.items() if math.isfinite(value)}

    def _measured(self, principal: Principal, card: Card, given: Registration) -> dict[str, float]:
        if given.predictions is not None:
            data = b"".join(self._tracking.artifact(principal, given.predictions))
            return {one.metric: one.value for one in measured(Predictions.from_bytes(data), card)}
        known = self._evaluation.evaluations(principal, model_id=given.artifact, limit=1)
        return {one.metric: one.value for evaluation in known for one in evaluation.measurements}
