"""The pages of runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from mainspring.kernel.errors import NotFound
from mainspring.kernel.principals import Principal
from mainspring.surfaces.drawings import Curve, curve
from mainspring.surfaces.http import Caller
from mainspring.surfaces.pages import Entry, Panel, Site, download, render
from mainspring.tracking.model import Environment, Run, RunDetail
from mainspring.tracking.service import TrackingService

_HOME_SHOWS = 8
_CURVES = 24
"""Metrics drawn on a run's page; the others are listed with their last value."""


def pages(tracking: TrackingService, site: Site) -> APIRouter:
    router = APIRouter()
    site.navigation.append(Entry("Runs", "/ui/runs"))
    site.addresses |= {"run": "/ui/runs/", "parent": "/ui/runs/"}
    site.add_panel("home", lambda principal, _: _newest(tracking, principal))

    @router.get("/ui/runs")
    def runs(principal: Caller, request: Request, kind: Annotated[str, Query(max_length=64)] = "") -> Response:
        """The newest runs; steps of pipelines only where they are asked for."""
        shown = tracking.runs(principal, kind=kind, limit=100) if kind else _outermost(tracking, principal, 100)
        return render(request, "tracking/runs.html", runs=shown, kind=kind, kinds=("", "pipeline", "run", "step"))

    @router.get("/ui/runs/{id}")
    def run(principal: Caller, request: Request, id: str) -> Response:
        detail = tracking.run(principal, id)
        panels = site.panels("run", principal, detail)
        curves, single = _metrics(tracking, principal, detail)
        return render(
            request,
            "tracking/run.html",
            detail=detail,
            run=detail.run,
            parent=tracking.run(principal, detail.run.parent_id).run if detail.run.parent_id else None,
            first=[panel for panel in panels if panel.look == "bad"],
            panels=[panel for panel in panels if panel.look != "bad"],
            curves=curves,
            single=single,
            code=_code(detail.environment),
        )

    @router.get("/ui/runs/{id}/artifacts/{name:path}")
    def artifact(principal: Caller, id: str, name: str) -> Response:
        """An artifact's checked bytes, as a file to keep."""
        artifacts = tracking.run(principal, id).artifacts
        found = next((artifact for artifact in artifacts if artifact.name == name), None)
        if found is None:
            wanted = "one of " + ", ".join(artifact.name for artifact in artifacts)
            raise NotFound(f"artifact {name}", wanted=wanted, found="none of that name")
        return download(tracking.artifact(principal, found.digest), name.rpartition("/")[2])

    @router.get("/ui/runs/{id}/environment/{part}")
    def environment(principal: Caller, id: str, part: str) -> Response:
        """The package lock or the patch of uncommitted changes, as a file to keep."""
        known = tracking.run(principal, id).environment
        files = (
            {}
            if known is None
            else {"lock.txt": known.lock_digest, "changes.patch": (known.code or {}).get("patch_digest")}
        )
        digest = files.get(part)
        if not digest:
            raise NotFound(f"{part} of run {id}", wanted="one that was recorded", found="none")
        return download(tracking.artifact(principal, digest), part)

    return router


def _newest(tracking: TrackingService, principal: Principal) -> Panel | None:
    found = _outermost(tracking, principal, _HOME_SHOWS)
    return Panel("Runs", "tracking/newest.html", found, more=("All runs", "/ui/runs"))


def _outermost(tracking: TrackingService, principal: Principal, limit: int) -> list[Run]:
    """The newest runs that are no part of another. Asked for by kind: one run may have a thousand steps."""
    found = [run for kind in ("pipeline", "run") for run in tracking.runs(principal, kind=kind, limit=limit)]
    found.sort(key=lambda run: run.started_at, reverse=True)
    return [run for run in found if run.parent_id is None][:limit]


def _metrics(
    tracking: TrackingService, principal: Principal, detail: RunDetail
) -> tuple[list[tuple[str, float, Curve]], dict[str, float]]:
    """Metrics that have a course, with its drawing, and those that are one number."""
    curves: list[tuple[str, float, Curve]] = []
    single: dict[str, float] = {}
    for key, last in detail.metrics.items():
        drawn = None
        if len(curves) < _CURVES:
            points = tracking.history(principal, detail.run.id, key)
            drawn = curve([(float(point.step), point.value) for point in points]) if len(points) > 1 else None
        if drawn is None:
            single[key] = last
        else:
            curves.append((key, last, drawn))
    return curves, single


def _code(environment: Environment | None) -> dict[str, Any] | None:
    """What Git knew, with a link where the remote is a place that a browser may go to."""
    if environment is None or not environment.code:
        return None
    code = dict(environment.code)
    remote = str(code.get("remote") or "")
    code["is_link"] = remote.startswith(("https://", "http://")) and "@" not in remote.split("/")[2]
    return code
