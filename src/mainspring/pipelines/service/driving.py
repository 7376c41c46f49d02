"""Use cases of drivers: runs begun and ended, steps claimed and finished, executions remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from mainspring.data.service import DataService
from mainspring.engines.assembly import Engines
from mainspring.engines.sql.contract import Work
from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import InvalidInput, NotFound
from mainspring.kernel.principals import Principal, use_case
from mainspring.pipelines import permissions, store
from mainspring.pipelines.events import (
    RunFinished,
    RunStarted,
)
from mainspring.pipelines.model.runs import (
    DONE,
    SILENCE,
    Definition,
    Run,
    RunId,
    RunStatus,
    StepRun,
    is_silent,
    require_running,
    status_counts,
    steps_digest,
)
from mainspring.pipelines.service.requests import Exchange, Hint, Hints, Skip, Start
from mainspring.pipelines.service.steps import Steps, source
from mainspring.tracking.model import Point
from mainspring.tracking.service import TrackingService

_MOST_HINTS = 1000
_FRESH = timedelta(seconds=1)
"""A sign of life that follows another this closely is not written down: steps may end a hundred times a second."""


class Driving:
    """What drivers tell of their runs. `PipelineService` is this and more."""

    def __init__(self, engines: Engines, data: DataService, tracking: TrackingService) -> None:
        self._engines, self._data, self._tracking = engines, data, tracking
        self._steps = Steps(engines, tracking)

    @use_case(permissions.START)
    def start_run(self, principal: Principal, start: Start) -> Run:
        """Begin a run. Runs whose drivers fell silent are marked interrupted on the way.

        Raises NotFound for a dataset version or a run to go on from that is not there.
        """
        self._interrupt(principal, principal.project)
        for given in start.inputs.values():
            self._data.version(principal, given["version_id"])
        project, definition = principal.project, dict(start.definition)
        with self._engines.sql.write(principal) as work:
            if known := store.run(work.connection, project, start.run_id):
                return known
            run = Run(
                id=RunId(start.run_id),
                project=project,
                pipeline=str(definition["name"]),
                definition_hash=digest(definition),
                params=start.params,
                inputs=start.inputs,
                environment_id=start.environment_id,
                resumed_from=start.resumed_from,
                driver=start.driver,
                status="running",
                error=None,
                cancel_requested=False,
                created_by=principal.id,
                started_at=work.now,
                heartbeat_at=work.now,
                ended_at=None,
            )
            if start.resumed_from:
                self._give_up(work, start.resumed_from, run.pipeline)
            store.add_definition(work, Definition(run.definition_hash, run.pipeline, definition, work.now))
            store.add_run(work, run)
            self._tracking.open_run(
                work,
                run_id=run.id,
                name=run.pipeline,
                kind="pipeline",
                params={**run.params, **{name: given["reference"] for name, given in run.inputs.items()}},
                environment_id=run.environment_id,
            )
            work.emit(
                RunStarted(
                    run_id=run.id,
                    definition_id=run.definition_hash,
                    resumed_from_id=run.resumed_from,
                    dataset_version_ids=tuple(given["version_id"] for given in run.inputs.values()),
                    pipeline=run.pipeline,
                    params=run.params,
                )
            )
            return run

    def _give_up(self, work: Work, id: str, pipeline: str) -> None:
        """End a run that another goes on from. From then on its own driver, if it lives, is refused."""
        before = self._run(work, id)
        if before.pipeline != pipeline:
            raise InvalidInput(f"run {id}", wanted=f"a run of pipeline {pipeline}", found=f"one of {before.pipeline}")
        if before.status == "running":
            self._end(work, before, "interrupted", None)

    @use_case(permissions.START)
    def hints(self, principal: Principal, run: Run) -> Hints:
        """What a driver may take as cached without asking: executions of the last good run, still stored."""
        with self._engines.sql.read() as connection:
            last = store.last_done_run(connection, run.project, run.pipeline)
            known = store.steps_of(connection, last)[:_MOST_HINTS] if last else []
            kept = store.steps_of(connection, run.resumed_from) if run.resumed_from else []
        done = [step for step in known if step.key and step.status in DONE and not step.uncached]
        return Hints(
            {step.key: _hint(step) for step in done if step.key and self._steps.has_outputs(step)},
            {s.label: _hint(s) for s in kept if s.key and s.status in DONE and self._steps.has_outputs(s)},
        )

    @use_case(permissions.REPORT)
    def exchange(self, principal: Principal, run_id: str, told: Exchange) -> tuple[Run, list[StepRun]]:
        """Everything a driver has to say at a moment, all or nothing; even nothing is a sign of life.

        The answer is the run, which says whether its end is wanted, and the claimed steps: running,
        or cached where an earlier execution stands for them.
        """
        stored = [self._steps.store_contents(finish) for finish in told.finishes]
        with self._engines.sql.write(principal) as work:
            run = self._live(work, run_id)
            self._steps.reuse(work, run, told.reuses)
            for finish, blobs in zip(told.finishes, stored, strict=True):
                self._steps.end(work, run, finish, blobs)
            return run, [self._steps.begin(work, run, claim) for claim in told.claims]

    @use_case(permissions.REPORT)
    def record_points(
        self, principal: Principal, run_id: str, step_id: str, points: Sequence[Point], *, is_first: bool
    ) -> None:
        """Take metric points of a running step that are too many to come with its end."""
        with self._engines.sql.write(principal) as work:
            self._steps.add_points(work, self._live(work, run_id), step_id, points, is_first=is_first)

    @use_case(permissions.REPORT)
    def finish_run(
        self,
        principal: Principal,
        run_id: str,
        status: RunStatus,
        error: Mapping[str, str] | None,
        skipped: Sequence[Skip],
    ) -> Run:
        """End a run, with the steps that were called and never begun."""
        if status == "running":
            raise InvalidInput(f"run {run_id}", wanted="an end", found=status)
        with self._engines.sql.write(principal) as work:
            run = self._run(work, run_id)
            if run.status != "running":
                return run
            for skip in skipped:
                self._steps.skip(work, run, skip)
            self._end(work, run, status, error)
            return self._run(work, run_id)

    @use_case(permissions.CANCEL)
    def cancel_run(self, principal: Principal, run_id: str) -> Run:
        """Ask the run's driver to stop; where it fell silent, the run ends here."""
        with self._engines.sql.write(principal) as work:
            run = self._run(work, run_id)
            require_running(run)
            store.request_cancel(work, run_id)
            if is_silent(run, work.now):
                self._end(work, run, "cancelled", None)
            return self._run(work, run_id)

    @use_case(permissions.INTERRUPT)
    def interrupt_silent(self, principal: Principal) -> int:
        """End the runs of every project whose drivers fell silent: for the controller. How many there were."""
        return self._interrupt(principal, None)

    def _interrupt(self, principal: Principal, project: str | None) -> int:
        since = self._engines.clocks.wall.now() - SILENCE
        with self._engines.sql.read() as connection:
            silent = [run for run in store.silent_runs(connection, since) if project in (None, run.project)]
        for run in silent:
            acting = Principal(principal.id, principal.name, run.project, principal.role, principal.scopes)
            with self._engines.sql.write(acting) as work:
                now = self._run(work, run.id)
                if is_silent(now, work.now):
                    self._end(work, now, "interrupted", None)
        return len(silent)

    def _run(self, work: Work, run_id: str) -> Run:
        run = store.run(work.connection, work.principal.project, run_id)
        if run is None:
            raise no_run(run_id)
        return run

    def _live(self, work: Work, run_id: str) -> Run:
        """The run, which must be running; its driver was heard just now."""
        run = self._run(work, run_id)
        require_running(run)
        if work.now - run.heartbeat_at > _FRESH:
            store.beat(work, run_id)
        return run

    def _end(self, work: Work, run: Run, status: RunStatus, error: Mapping[str, str] | None) -> None:
        store.end_open_steps(work, run.id, "interrupted" if status == "interrupted" else "cancelled")
        store.end_run(work, run.id, status, error)
        steps = store.steps_of(work.connection, run.id)
        self._tracking.close_run(work, run.id, status)
        finished = RunFinished(
            run_id=run.id,
            pipeline=run.pipeline,
            status=status,
            steps=status_counts(steps),
            steps_digest=steps_digest(steps),
        )
        work.emit(finished)


def _hint(step: StepRun) -> Hint:
    assert step.key is not None
    return Hint(step.key, step.id, step.outputs, source(step))


def no_run(run_id: str) -> NotFound:
    return NotFound(f"run {run_id}", wanted="a run of this project", found="none of that id")
