"""Use cases of gates: have a candidate judged against what serves, and remember the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.engines.assembly import Engines
from mainspring.engines.sql.contract import Work
from mainspring.evaluation.model import Measurement
from mainspring.evaluation.service import EvaluationService
from mainspring.jobs.model import Isolate
from mainspring.jobs.service import JobService
from mainspring.kernel import plugins
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import InvalidInput, NotFound
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, use_case
from mainspring.kernel.verdicts import Verdict
from mainspring.registry import permissions, store, work
from mainspring.registry.events import GateJudged
from mainspring.registry.model import (
    CHAMPION,
    Candidate,
    GateId,
    GateSettings,
    GateVerdict,
    ModelVersion,
    VersionId,
    checked_name,
    gate_key,
)
from mainspring.registry.service.files import as_files, present
from mainspring.registry.service.models import card_of, ensure_model
from mainspring.registry.service.origins import origin_of
from mainspring.tracking.service import TrackingService

GATE_JOB = "registry.gate"
_DEFAULT_METRICS = {"regressor": "mae", "classifier": "log_loss"}
_METRICS = "mainspring.evaluation.metrics"


class GateService:
    def __init__(
        self, engines: Engines, jobs: JobService, tracking: TrackingService, evaluation: EvaluationService
    ) -> None:
        self._engines, self._jobs, self._tracking, self._evaluation = engines, jobs, tracking, evaluation

    @use_case(permissions.GATE)
    def judge(
        self,
        principal: Principal,
        name: str,
        candidate: Candidate,
        *,
        metric: str | None = None,
        margin: float = 0.0,
        threshold: float | None = None,
        tie: str = "block",
        confidence: float = 0.95,
    ) -> GateVerdict | str:
        """The verdict where the very same was judged before; else the id of the job that will judge.

        The opponent is the model's champion of this moment, whose predictions on the same rows an
        isolated process makes; without a champion it is the constant predictor.
        metric  default: mae for regressors, log_loss for classifiers.
        """
        card = card_of(self._tracking, principal, candidate.model_digest)
        settings = _settings(metric or _DEFAULT_METRICS[card.kind], margin, threshold, tie, confidence)
        for digest in (candidate.predictions_digest, candidate.holdout_digest):
            if digest is not None:
                self._tracking.artifact(principal, digest)  # raises where the project never stored it
        with self._engines.sql.write(principal) as unit:
            model = ensure_model(unit, checked_name(name))
            champion = store.version_aliased(unit.connection, model, CHAMPION)
            key = gate_key(name, candidate, champion.id if champion else None, settings)
            known = store.gate_of_key(unit.connection, principal.project, key)
            if known is not None:
                return known
            arguments = {
                "model": name,
                "key": key,
                "candidate": plain(candidate),
                "champion_id": champion.id if champion else None,
                "constant": card.baseline,
                "settings": plain(settings),
            }
            return self._jobs.request(unit, GATE_JOB, arguments)

    @use_case(permissions.READ)
    def gate(self, principal: Principal, id: str) -> GateVerdict:
        with self._engines.sql.read() as connection:
            found = store.gate(connection, principal.project, id)
        if found is None:
            raise NotFound(f"gate {id}", wanted="a gate of this project", found="none of that id")
        return found

    @use_case(permissions.READ)
    def gates(self, principal: Principal, name: str) -> list[GateVerdict]:
        """The verdicts on candidates for a model, newest first."""
        with self._engines.sql.read() as connection:
            return store.gates_of_model(connection, store.found_model(connection, principal.project, name))

    def run_job(self, principal: Principal, arguments: dict[str, Any], isolate: Isolate) -> dict[str, Any]:
        """Judge, unless that was done by an earlier attempt."""
        with self._engines.sql.read() as connection:
            known = store.gate_of_key(connection, principal.project, arguments["key"])
            champion_id = arguments["champion_id"]
            champion = store.version(connection, principal.project, champion_id) if champion_id else None
        if known is None:
            known = self._keep(principal, arguments, champion, self._found(principal, arguments, champion, isolate))
        return answered(known)

    def _found(
        self, principal: Principal, arguments: Mapping[str, Any], champion: ModelVersion | None, isolate: Isolate
    ) -> dict[str, Any]:
        candidate = Candidate(**arguments["candidate"])
        tables: list[str] = []
        if champion is not None:
            named = [candidate.holdout_digest] if candidate.holdout_digest else []
            near = origin_of(self._engines.sql, principal.project, candidate.predictions_digest).outputs
            tables = present(self._engines, [*named, *(() if named else near)])
        needed = [candidate.model_digest, candidate.predictions_digest, *tables]
        with as_files(self._engines, [*needed, *([champion.artifact_digest] if champion else [])]) as files:
            opponent = work.Opponent(
                name=champion.reference if champion else "the constant predictor",
                model_path=files[champion.artifact_digest] if champion else None,
                constant=arguments["constant"],
                tables={digest: files[digest] for digest in tables},
            )
            given: dict[str, Path | Any] = {
                "candidate_path": files[candidate.model_digest],
                "predictions_path": files[candidate.predictions_digest],
                "opponent": opponent,
                "settings": GateSettings(**arguments["settings"]),
            }
            return isolate(work.judge, given)

    def _keep(
        self,
        principal: Principal,
        arguments: Mapping[str, Any],
        champion: ModelVersion | None,
        found: Mapping[str, Any],
    ) -> GateVerdict:
        candidate = Candidate(**{**arguments["candidate"], "holdout_digest": found["holdout_digest"]})
        with self._engines.sql.write(principal) as unit:
            known = store.gate_of_key(unit.connection, principal.project, arguments["key"])
            if known is not None:
                return known
            model = store.found_model(unit.connection, principal.project, arguments["model"])
            gate = GateVerdict(
                id=GateId(new_id()),
                project=principal.project,
                model=model.name,
                key=arguments["key"],
                candidate=candidate,
                champion_id=VersionId(champion.id) if champion else None,
                settings=GateSettings(**arguments["settings"]),
                verdict=Verdict(**found["verdict"]),
                judged_by=principal.id,
                judged_at=unit.now,
            )
            store.add_gate(unit, model.id, gate)
            unit.emit(_event(model.id, gate))
            self._record(unit, candidate, found)
            return gate

    def _record(self, unit: Work, candidate: Candidate, found: Mapping[str, Any]) -> None:
        """What was measured on the way is an evaluation of the candidate."""
        measurements = [Measurement(**fields) for fields in found["measurements"]]
        if measurements:
            self._evaluation.record_in(
                unit,
                measurements,
                model_id=candidate.model_digest,
                predictions_digest=candidate.predictions_digest,
                dataset_version_id=found["dataset_version_id"],
            )


def answered(gate: GateVerdict) -> dict[str, Any]:
    """A verdict as operations and HTTP answer it: its own fields, and which gate it was."""
    verdict: dict[str, Any] = plain(gate.verdict)
    return {**verdict, "gate_id": gate.id, "champion_id": gate.champion_id, "model": gate.model}


def _settings(metric: str, margin: float, threshold: float | None, tie: str, confidence: float) -> GateSettings:
    if metric not in plugins.names(_METRICS):
        raise InvalidInput("metric", wanted="one of " + ", ".join(plugins.names(_METRICS)), found=repr(metric))
    if tie not in ("block", "pass"):
        raise InvalidInput("tie", wanted="block or pass", found=repr(tie))
    return GateSettings(metric, margin, threshold, "pass" if tie == "pass" else "block", confidence)


def _event(model_id: str, gate: GateVerdict) -> GateJudged:
    return GateJudged(
        gate_id=gate.id,
        model_id=model_id,
        artifact_id=gate.candidate.model_digest,
        predictions_id=gate.candidate.predictions_digest,
        holdout_id=gate.candidate.holdout_digest,
        champion_id=gate.champion_id,
        model=gate.model,
        check=gate.verdict.check,
        outcome=gate.verdict.outcome,
        reason=gate.verdict.reason,
        settings=vars(gate.settings),
        evidence=gate.verdict.evidence,
    )
