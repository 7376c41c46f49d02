"""The steps of a run: drawn on the run's page, and each on one of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response

from mainspring.kernel.errors import MainspringError, NotFound
from mainspring.kernel.principals import Principal
from mainspring.pipelines import permissions
from mainspring.pipelines.model.runs import Run, StepRun
from mainspring.pipelines.service import PipelineService
from mainspring.surfaces import wording
from mainspring.surfaces.drawings import Box, Graph, graph
from mainspring.surfaces.http import Caller
from mainspring.surfaces.pages import Panel, Site, download, render, see_other
from mainspring.tracking.model import RunDetail
from mainspring.tracking.service import TrackingService

_MOST_DRAWN = 200
"""Steps drawn; a run with more has them in the table only."""
_TAIL_LINES = 40
_WHOLE_LINES = 1000


@dataclass(frozen=True)
class Steps:
    """A run's steps as its page shows them. `drawn` is None where there are none or too many."""

    run: Run
    steps: list[StepRun]
    drawn: Graph | None
    may_cancel: bool


@dataclass(frozen=True)
class Failure:
    """Why a run or step failed: the errors by what they are of, and the end of the first step's log."""

    errors: list[tuple[str, str, Any]]
    """(label, path of its page or empty, error in wire form)."""
    log: str


def pages(pipelines: PipelineService, tracking: TrackingService, site: Site) -> APIRouter:
    router = APIRouter()
    site.addresses |= dict.fromkeys(("step", "used_step", "original_step"), "/ui/steps/")
    site.addresses["resumed_from"] = "/ui/runs/"
    site.add_panel("run", lambda principal, detail: _failure(pipelines, tracking, principal, detail))
    site.add_panel("run", lambda principal, detail: _steps(pipelines, principal, detail))

    @router.get("/ui/steps/{id}")
    def step(principal: Caller, request: Request, id: str) -> Response:
        found = pipelines.step(principal, id)
        run, steps = pipelines.run(principal, found.run_id)
        return render(
            request,
            "pipelines/step.html",
            step=found,
            run=run,
            needs=[other for other in steps if other.id in found.needs],
            used_by=[other for other in steps if found.id in other.needs],
            why=pipelines.why(principal, run.id, found.id),
            log=_log(tracking, principal, found, _WHOLE_LINES),
            record=_record(tracking, principal, found),
        )

    @router.get("/ui/steps/{id}/outputs/{name}")
    def output(principal: Caller, id: str, name: str) -> Response:
        """An output's checked bytes, as a file to keep."""
        outputs = {each["name"]: each["digest"] for each in pipelines.step(principal, id).outputs}
        if name not in outputs:
            raise NotFound(f"output {name}", wanted="one of " + ", ".join(outputs), found="none of that name")
        return download(tracking.artifact(principal, outputs[name]), name)

    @router.post("/ui/runs/{id}/cancel")
    def cancel(principal: Caller, id: str) -> Response:
        pipelines.cancel_run(principal, id)
        return see_other(f"/ui/runs/{id}")

    return router


def _steps(pipelines: PipelineService, principal: Principal, detail: RunDetail) -> Panel | None:
    if detail.run.kind != "pipeline":
        return None
    run, steps = pipelines.run(principal, detail.run.id)
    may_cancel = run.status == "running" and not run.cancel_requested and principal.may(permissions.CANCEL)
    drawn = draw(steps) if 0 < len(steps) <= _MOST_DRAWN else None
    return Panel("Steps", "pipelines/steps.html", Steps(run, steps, drawn, may_cancel))


def draw(steps: list[StepRun]) -> Graph:
    """The steps as boxes, each right of those it needed."""
    boxes = [Box(step.id, step.label, _note(step), step.status, f"/ui/steps/{step.id}") for step in steps]
    return graph(boxes, [(needed, step.id) for step in steps for needed in step.needs])


def _note(step: StepRun) -> str:
    if step.status == "succeeded":
        return "ran" + _took(step.started_at, step.ended_at)
    if step.status in ("running", "failed"):
        return step.status + _took(step.started_at, step.ended_at)
    return step.status


def _took(started_at: datetime, ended_at: datetime | None) -> str:
    return f", {wording.span(ended_at - started_at)}" if ended_at else ""


def _failure(
    pipelines: PipelineService, tracking: TrackingService, principal: Principal, detail: RunDetail
) -> Panel | None:
    if detail.run.status != "failed":
        return None
    if detail.run.kind == "step":
        failed, whole = [pipelines.step(principal, detail.run.id)], None
    elif detail.run.kind == "pipeline":
        run, steps = pipelines.run(principal, detail.run.id)
        failed, whole = [step for step in steps if step.error], run.error
    else:
        return None
    errors = [(step.label, f"/ui/steps/{step.id}", step.error) for step in failed if step.error]
    if whole and all(error["message"] != whole.get("message") for _, _, error in errors):
        errors.append(("the run", "", whole))
    log = _log(tracking, principal, failed[0], _TAIL_LINES) if failed else ""
    return Panel("Why it failed", "pipelines/failure.html", Failure(errors[:5], log), look="bad") if errors else None


def _log(tracking: TrackingService, principal: Principal, step: StepRun, lines: int) -> str:
    """The last lines of what a step printed; empty where it printed nothing or the text is not kept here."""
    if not step.log or not step.log.get("digest"):
        return ""
    try:
        text = b"".join(tracking.artifact(principal, step.log["digest"])).decode("utf-8", "replace")
    except MainspringError:
        return ""
    kept = list(islice(reversed(text.splitlines()), lines))
    return "\n".join(reversed(kept))


def _record(tracking: TrackingService, principal: Principal, step: StepRun) -> RunDetail | None:
    """What the step logged by itself, where it did."""
    try:
        return tracking.run(principal, step.id)
    except NotFound:
        return None
