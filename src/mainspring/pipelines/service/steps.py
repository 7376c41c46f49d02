"""Steps of a run inside one unit of work: begun, taken from an earlier execution, ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from mainspring.engines.assembly import Engines
from mainspring.engines.blobs.contract import Blob
from mainspring.engines.sql.contract import Work
from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import AlreadyExists, InvalidInput, NotFound
from mainspring.pipelines import store
from mainspring.pipelines.events import StepFinished, StepReused
from mainspring.pipelines.model.runs import DONE, Run, RunId, StepId, StepRun
from mainspring.pipelines.service.requests import Claim, Finish, Reuse, Skip
from mainspring.tracking.model import Point
from mainspring.tracking.service import TrackingService


class Steps:
    """Parts of use cases: the caller has checked the principal and holds the unit of work."""

    def __init__(self, engines: Engines, tracking: TrackingService) -> None:
        self._engines, self._tracking = engines, tracking

    def begin(self, work: Work, run: Run, claim: Claim) -> StepRun:
        """A claimed step: running, or cached where an earlier execution stands for it."""
        known = store.step_at(work.connection, run.id, claim.name, claim.ordinal)
        if known is not None:
            if known.id == claim.step_id:
                return known
            raise AlreadyExists(f"step {known.label} of run {run.id}", wanted="a new one", found="it was begun before")
        step = _begun(run, claim, self._standing_for(work, run, claim), work.now)
        self._add(work, step)
        return step

    def reuse(self, work: Work, run: Run, reuses: Sequence[Reuse]) -> None:
        """Steps for which their driver knew the standing execution from the answer to its start."""
        originals = store.steps_by_id(work.connection, run.project, [reuse.original_id for reuse in reuses])
        for reuse in reuses:
            original = originals.get(reuse.original_id)
            if original is None or original.key != reuse.claim.key or original.status not in DONE:
                found = "another key" if original else "none of that id"
                raise InvalidInput(f"step {reuse.claim.name}", wanted="an execution with its key", found=found)
            if store.step_at(work.connection, run.id, reuse.claim.name, reuse.claim.ordinal) is None:
                self._add(work, _begun(run, reuse.claim, original, work.now))

    def _add(self, work: Work, step: StepRun) -> None:
        store.add_step(work, step)
        if step.reused is not None and step.key is not None:
            work.emit(
                StepReused(
                    step_id=step.id,
                    run_id=step.run_id,
                    original_step_id=step.reused["step_id"],
                    step=step.label,
                    key=step.key,
                )
            )

    def _standing_for(self, work: Work, run: Run, claim: Claim) -> StepRun | None:
        """The execution that may stand for a claimed one and whose outputs are still there."""
        if claim.key is None or claim.uncached is not None:
            return None
        found = store.execution_of(work.connection, run.project, claim.key)
        return found if found is not None and self.has_outputs(found) else None

    def has_outputs(self, step: StepRun) -> bool:
        return all(self._engines.blobs.has(output["digest"]) for output in step.outputs)

    def store_contents(self, finish: Finish) -> list[Blob]:
        """Store the bytes that came along; before the unit of work, since it may take long.

        Raises InvalidInput for outputs of a step that did not succeed, Corrupt.
        """
        if finish.outputs and finish.status != "succeeded":
            raise InvalidInput(f"step {finish.step_id}", wanted="outputs of a step that succeeded", found=finish.status)
        return [self._engines.blobs.put(content, expected=claimed) for claimed, content in finish.contents.items()]

    def end(self, work: Work, run: Run, finish: Finish, stored: Sequence[Blob]) -> None:
        """Record how a step ended; saying it twice changes nothing.

        Raises NotFound for an output whose bytes neither came along nor were uploaded before.
        """
        for blob in stored:
            self._tracking.keep(work, blob)
        for output in finish.outputs:
            if output.digest not in finish.contents:
                self._tracking.require_kept(work, output.digest)
        step = self.of_run(work, run.id, finish.step_id)
        if step.status != "running":
            return
        store.end_step(
            work,
            step.id,
            status=finish.status,
            outputs=[vars(output) for output in finish.outputs],
            facts=finish.facts,
            attempts=finish.attempts,
            error=finish.error,
            log=finish.log,
            is_deterministic=finish.is_deterministic,
        )
        self._record(work, run, step, finish)
        work.emit(_finished(run, step, finish))

    def _record(self, work: Work, run: Run, step: StepRun, finish: Finish) -> None:
        """What the step logged becomes a tracking run under the pipeline's."""
        if not finish.has_records:
            return
        if not finish.has_begun:
            self.open_record(work, run, step, finish.facts.get("seeds"))
        self._tracking.record(work, step.id, params=finish.params, points=finish.points, artifacts=finish.artifacts)
        self._tracking.close_run(work, step.id, finish.status if finish.status == "succeeded" else "failed")

    def add_points(self, work: Work, run: Run, step_id: str, points: Sequence[Point], *, is_first: bool) -> None:
        if is_first:
            self.open_record(work, run, self.of_run(work, run.id, step_id))
        self._tracking.record(work, step_id, points=points)

    def open_record(self, work: Work, run: Run, step: StepRun, seeds: Mapping[str, int] | None = None) -> None:
        self._tracking.open_run(
            work,
            run_id=step.id,
            name=step.label,
            kind="step",
            parent_id=run.id,
            environment_id=run.environment_id,
            seeds=seeds,
        )

    def skip(self, work: Work, run: Run, skip: Skip) -> None:
        """A step that was called and never begun."""
        claim = Claim(skip.step_id, skip.name, skip.ordinal, skip.kind, needs=skip.needs)
        step = _begun(run, claim, None, work.now)
        store.add_step(work, StepRun(**{**vars(step), "status": "skipped", "ended_at": work.now}))

    def of_run(self, work: Work, run_id: str, step_id: str) -> StepRun:
        step = store.step(work.connection, work.principal.project, step_id)
        if step is None or step.run_id != run_id:
            raise NotFound(f"step {step_id}", wanted=f"a step of run {run_id}", found="none of that id")
        return step


def source(step: StepRun) -> Mapping[str, str]:
    """{"step_id", "run_id"} of the execution that made a step's outputs: itself, or what stood for it."""
    return step.reused or {"step_id": step.id, "run_id": step.run_id}


def _begun(run: Run, claim: Claim, original: StepRun | None, now: datetime) -> StepRun:
    return StepRun(
        id=StepId(claim.step_id),
        project=run.project,
        run_id=RunId(run.id),
        name=claim.name,
        ordinal=claim.ordinal,
        kind=claim.kind,
        status="cached" if original else "running",
        key=claim.key,
        parts=claim.parts,
        needs=list(claim.needs),
        outputs=list(original.outputs) if original else [],
        reused=source(original) if original else None,
        uncached=claim.uncached,
        facts={},
        attempts=0,
        error=None,
        log=None,
        is_deterministic=None,
        started_at=now,
        ended_at=now if original else None,
    )


def _finished(run: Run, step: StepRun, finish: Finish) -> StepFinished:
    parts = step.parts or {}
    versions = {given["version_id"] for given in run.inputs.values()}
    used = {given["digest"] for given in parts.get("inputs", {}).values()}
    return StepFinished(
        step_id=step.id,
        run_id=run.id,
        used_step_ids=tuple(step.needs),
        dataset_version_ids=tuple(sorted(versions & used)),
        artifact_ids=tuple(dict.fromkeys(output.digest for output in finish.outputs)),
        step=step.label,
        step_kind=step.kind,
        status=finish.status,
        attempts=finish.attempts,
        key=step.key,
        code_hash=digest(parts["code"]) if "code" in parts else None,
        params=parts.get("parameters", {}),
        outputs={output.name: output.digest for output in finish.outputs},
    )
