"""Use cases of pipelines: definitions applied, runs driven, executions remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.engines.sql.contract import Work
from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import InvalidInput, NotFound
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, use_case
from mainspring.pipelines import permissions, store
from mainspring.pipelines.events import (
    PipelineApplied,
    PipelineRetired,
)
from mainspring.pipelines.model.keys import KeyParts
from mainspring.pipelines.model.plans import Change, plan
from mainspring.pipelines.model.reasons import Earlier, reasons
from mainspring.pipelines.model.runs import (
    AppliedPipeline,
    Definition,
    Run,
    StepRun,
)
from mainspring.pipelines.service.driving import Driving, no_run


class PipelineService(Driving):
    """Definitions applied, runs driven (see `Driving`), and everything about them read."""

    @use_case(permissions.READ)
    def plan(
        self, principal: Principal, definitions: Sequence[Mapping[str, Any]], *, prune: bool = False
    ) -> list[Change]:
        """What `apply` would do, without doing it."""
        with self._engines.sql.read() as connection:
            known = store.applied(connection, principal.project)
            return plan(known, store.applied_definitions(connection, principal.project), definitions, prune=prune)

    @use_case(permissions.APPLY)
    def apply(
        self, principal: Principal, definitions: Sequence[Mapping[str, Any]], *, prune: bool = False
    ) -> list[Change]:
        """Make the definitions the current ones; doing it again changes nothing. Older versions are kept.

        prune  retire applied pipelines that are not among the definitions.
        """
        by_name = {str(definition["name"]): definition for definition in definitions}
        with self._engines.sql.write(principal) as work:
            known = {pipeline.name: pipeline for pipeline in store.applied(work.connection, principal.project)}
            written = store.applied_definitions(work.connection, principal.project)
            changes = plan(list(known.values()), written, definitions, prune=prune)
            for change in changes:
                self._make(work, change, known.get(change.name), by_name.get(change.name))
        return changes

    def _make(
        self, work: Work, change: Change, before: AppliedPipeline | None, definition: Mapping[str, Any] | None
    ) -> None:
        if change.action == "none":
            return
        if definition is None:
            assert before is not None  # only applied pipelines are deleted
            store.save_applied(work, AppliedPipeline(**{**vars(before), "is_retired": True}))
            work.emit(PipelineRetired(pipeline_id=before.id, name=before.name))
            return
        id, version = (before.id, before.version + 1) if before else (new_id(), 1)
        store.add_definition(work, Definition(digest(definition), change.name, definition, work.now))
        store.save_applied(work, AppliedPipeline(id, change.name, version, digest(definition), work.now, False))
        work.emit(PipelineApplied(pipeline_id=id, definition_id=digest(definition), name=change.name, version=version))

    @use_case(permissions.READ)
    def pipelines(self, principal: Principal) -> list[dict[str, Any]]:
        """Every applied pipeline, and every one that ran without being applied, with its last run."""
        with self._engines.sql.read() as connection:
            applied = {p.name: p for p in store.applied(connection, principal.project) if not p.is_retired}
            last: dict[str, Run] = {}
            for run in store.recent_runs(connection, principal.project, pipeline=None, limit=1000):
                last.setdefault(run.pipeline, run)
            return [
                {"name": name, "applied": applied.get(name), "last_run": last.get(name)}
                for name in sorted(applied.keys() | last.keys())
            ]

    @use_case(permissions.READ)
    def pipeline(self, principal: Principal, name: str) -> dict[str, Any]:
        """One pipeline: its current definition and its newest runs."""
        with self._engines.sql.read() as connection:
            applied = store.applied_named(connection, principal.project, name)
            runs = store.recent_runs(connection, principal.project, pipeline=name, limit=20)
            if applied is None and not runs:
                fix = "`mainspring pipeline list` names those there are."
                raise NotFound(f"pipeline {name}", wanted="one applied or run here", found="none of that name", fix=fix)
            hash = applied.definition_hash if applied else runs[0].definition_hash
            definition = store.definition_of(connection, principal.project, hash)
            return {"name": name, "applied": applied, "definition": definition, "runs": runs}

    @use_case(permissions.READ)
    def runs(self, principal: Principal, *, pipeline: str | None = None, limit: int = 50) -> list[Run]:
        """The newest runs first."""
        with self._engines.sql.read() as connection:
            return store.recent_runs(connection, principal.project, pipeline=pipeline, limit=min(limit, 1000))

    @use_case(permissions.READ)
    def run(self, principal: Principal, run_id: str) -> tuple[Run, list[StepRun]]:
        with self._engines.sql.read() as connection:
            run = store.run(connection, principal.project, run_id)
            if run is None:
                raise no_run(run_id)
            return run, store.steps_of(connection, run_id)

    @use_case(permissions.READ)
    def step(self, principal: Principal, step_id: str) -> StepRun:
        with self._engines.sql.read() as connection:
            step = store.step(connection, principal.project, step_id)
        if step is None:
            raise NotFound(f"step {step_id}", wanted="a step of this project", found="none of that id")
        return step

    @use_case(permissions.READ)
    def why(self, principal: Principal, run_id: str, label: str) -> list[str]:
        """In words, why a step ran, or from which run its outputs were taken. Raises NotFound."""
        run, steps = self.run(principal, run_id)
        step = next((s for s in steps if label in (s.label, s.id)), None)
        if step is None:
            wanted = "one of " + ", ".join(s.label for s in steps) if steps else "a step"
            raise NotFound(f"step {label} of run {run_id}", wanted=wanted, found="none of that name")
        with self._engines.sql.read() as connection:
            executed = store.earlier_executions(connection, principal.project, run.pipeline, step)
        earlier = [Earlier(s.run_id, KeyParts.from_json(s.parts), s.status) for s in executed if s.parts]
        return reasons(step, steps, earlier, self._packages)

    def _packages(self, lock_digest: str) -> Mapping[str, str]:
        """Package to version of a recorded lock; empty where it is not kept."""
        try:
            lines = self._engines.blobs.read(lock_digest).decode().splitlines()
        except (NotFound, InvalidInput):
            return {}
        return dict(line.split("==", 1) for line in lines if "==" in line)
