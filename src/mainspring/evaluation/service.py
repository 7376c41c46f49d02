"""Use cases of evaluation: recording what was measured, and reading it."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.engines.assembly import Engines
from mainspring.engines.sql.contract import Work
from mainspring.evaluation import permissions, store
from mainspring.evaluation.events import EvaluationRecorded
from mainspring.evaluation.model import Evaluation, EvaluationId, Measurement, checked_measurements
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import NotFound
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, use_case

_MOST_AT_ONCE = 1000


class EvaluationService:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    @use_case(permissions.RECORD)
    def record(
        self,
        principal: Principal,
        measurements: Sequence[Measurement],
        *,
        run_id: str | None = None,
        model_id: str | None = None,
        dataset_version_id: str | None = None,
        predictions_digest: str | None = None,
    ) -> Evaluation:
        """Record an evaluation, once and for all."""
        with self._engines.sql.write(principal) as work:
            return self.record_in(
                work,
                measurements,
                run_id=run_id,
                model_id=model_id,
                dataset_version_id=dataset_version_id,
                predictions_digest=predictions_digest,
            )

    @use_case(permissions.READ)
    def evaluation(self, principal: Principal, id: str) -> Evaluation:
        """One evaluation. Raises NotFound."""
        with self._engines.sql.read() as connection:
            found = store.evaluation(connection, principal.project, id)
        if found is None:
            wanted = f"one of project {principal.project}"
            raise NotFound(f"evaluation {id}", wanted=wanted, found="none", fix="See `mainspring evaluation list`.")
        return found

    @use_case(permissions.READ)
    def evaluations(
        self,
        principal: Principal,
        *,
        run_id: str | None = None,
        model_id: str | None = None,
        dataset_version_id: str | None = None,
        limit: int = 100,
    ) -> list[Evaluation]:
        """The project's newest evaluations, newest first, of one run, model or dataset version where given."""
        with self._engines.sql.read() as connection:
            return store.recent(
                connection,
                principal.project,
                run_id=run_id,
                model_id=model_id,
                dataset_version_id=dataset_version_id,
                limit=min(limit, _MOST_AT_ONCE),
            )

    def record_in(
        self,
        work: Work,
        measurements: Sequence[Measurement],
        *,
        run_id: str | None = None,
        model_id: str | None = None,
        dataset_version_id: str | None = None,
        predictions_digest: str | None = None,
    ) -> Evaluation:
        """Record an evaluation inside the caller's transaction."""
        evaluation = Evaluation(
            id=EvaluationId(new_id()),
            project=work.principal.project,
            run_id=run_id,
            model_id=model_id,
            dataset_version_id=dataset_version_id,
            predictions_digest=predictions_digest,
            measurements=checked_measurements(measurements),
            recorded_by=work.principal.id,
            recorded_at=work.now,
        )
        store.add(work, evaluation)
        work.emit(
            EvaluationRecorded(
                evaluation_id=evaluation.id,
                run_id=run_id,
                model_id=model_id,
                dataset_version_id=dataset_version_id,
                predictions_digest=predictions_digest,
                measurements=tuple(plain(measurement) for measurement in evaluation.measurements),
            )
        )
        return evaluation
