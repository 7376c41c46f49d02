"""HTTP routes of evaluation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mainspring.evaluation.model import Evaluation, Measurement
from mainspring.evaluation.service import EvaluationService
from mainspring.surfaces.http import Caller

Id = Annotated[str, Field(min_length=1, max_length=64)]


class MeasurementIn(BaseModel):
    """A metric's value; `low` and `high` are null where the rows do not bound it."""

    metric: str
    value: float
    low: float | None
    high: float | None
    confidence: float
    rows: int
    blocks: int
    method: Annotated[str, Field(max_length=200)]

    def measurement(self) -> Measurement:
        return Measurement(**self.model_dump())


class EvaluationIn(BaseModel):
    measurements: Annotated[list[MeasurementIn], Field(max_length=100)]
    run_id: Id | None = None
    model_id: Id | None = None
    dataset_version_id: Id | None = None
    predictions_digest: Id | None = None


def routes(evaluation: EvaluationService) -> APIRouter:
    router = APIRouter(prefix="/evaluation", tags=["evaluation"])

    @router.post("/evaluations")
    def record(principal: Caller, body: EvaluationIn) -> Evaluation:
        return evaluation.record(
            principal,
            [given.measurement() for given in body.measurements],
            run_id=body.run_id,
            model_id=body.model_id,
            dataset_version_id=body.dataset_version_id,
            predictions_digest=body.predictions_digest,
        )

    @router.get("/evaluations")
    def evaluations(
        principal: Caller,
        run_id: str | None = None,
        model_id: str | None = None,
        dataset_version_id: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[Evaluation]:
        return evaluation.evaluations(
            principal, run_id=run_id, model_id=model_id, dataset_version_id=dataset_version_id, limit=limit
        )

    @router.get("/evaluations/{id}")
    def one(principal: Caller, id: str) -> Evaluation:
        return evaluation.evaluation(principal, id)

    return router
