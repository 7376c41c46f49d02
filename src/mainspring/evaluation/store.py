"""The table of evaluations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Row, String, Table, insert, select

from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata, project_column
from mainspring.engines.sql.contract import Work
from mainspring.evaluation.model import Evaluation, EvaluationId, Measurement
from mainspring.kernel.ids import PrincipalId

evaluations = Table(
    "evaluation_evaluations",
    metadata,
    id_column(),
    project_column(),
    Column("run_id", String(64), index=True),
    Column("model_id", String(64), index=True),
    Column("dataset_version_id", String(64), index=True),
    Column("predictions_digest", String(64)),
    Column("measurements", Json, nullable=False),
    Column("recorded_by", String(64), nullable=False),
    Column("recorded_at", Instant, nullable=False),
)


def add(work: Work, evaluation: Evaluation) -> None:
    work.execute(
        insert(evaluations).values(
            id=evaluation.id,
            project=evaluation.project,
            run_id=evaluation.run_id,
            model_id=evaluation.model_id,
            dataset_version_id=evaluation.dataset_version_id,
            predictions_digest=evaluation.predictions_digest,
            measurements=list(evaluation.measurements),
            recorded_by=evaluation.recorded_by,
            recorded_at=evaluation.recorded_at,
        )
    )


def evaluation(connection: Connection, project: str, id: str) -> Evaluation | None:
    query = select(evaluations).where(evaluations.c.project == project, evaluations.c.id == id)
    row = connection.execute(query).first()
    return _evaluation(row) if row else None


def recent(
    connection: Connection,
    project: str,
    *,
    run_id: str | None,
    model_id: str | None,
    dataset_version_id: str | None,
    limit: int,
) -> list[Evaluation]:
    """The newest evaluations, newest first; ids sort by time."""
    query = select(evaluations).where(evaluations.c.project == project).order_by(evaluations.c.id.desc()).limit(limit)
    for column, wanted in (
        (evaluations.c.run_id, run_id),
        (evaluations.c.model_id, model_id),
        (evaluations.c.dataset_version_id, dataset_version_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return [_evaluation(row) for row in connection.execute(query)]


def _evaluation(row: Row[Any]) -> Evaluation:
    return Evaluation(
        id=EvaluationId(row.id),
        project=row.project,
        run_id=row.run_id,
        model_id=row.model_id,
        dataset_version_id=row.dataset_version_id,
        predictions_digest=row.predictions_digest,
        measurements=tuple(Measurement(**measurement) for measurement in row.measurements),
        recorded_by=PrincipalId(row.recorded_by),
        recorded_at=row.recorded_at,
    )
