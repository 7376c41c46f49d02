"""HTTP routes of pipelines."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Base64Bytes, BaseModel

from mainspring.kernel.canonical import plain
from mainspring.pipelines.model.runs import Output
from mainspring.pipelines.service import PipelineService
from mainspring.pipelines.service.requests import Claim, Exchange, Finish, Reuse, Skip, Start
from mainspring.surfaces.http import Caller
from mainspring.tracking.model import Artifact, Point

Kind = Literal["step", "operation", "choice"]


class Definitions(BaseModel):
    definitions: list[dict[str, Any]]
    prune: bool = False


class StartIn(BaseModel):
    run_id: str
    definition: dict[str, Any]
    params: dict[str, Any] = {}
    inputs: dict[str, dict[str, Any]] = {}
    environment_id: str | None = None
    resumed_from: str | None = None
    driver: dict[str, Any] = {}


class ClaimIn(BaseModel):
    step_id: str
    name: str
    ordinal: int
    kind: Kind = "step"
    key: str | None = None
    parts: dict[str, Any] | None = None
    needs: list[str] = []
    uncached: str | None = None


class OutputIn(BaseModel):
    name: str
    digest: str
    size_bytes: int
    kind: str
    materializer: str
    meta: dict[str, Any] = {}


class PointIn(BaseModel):
    key: str
    value: float
    step: int = 0
    time: datetime


class ArtifactIn(BaseModel):
    name: str
    digest: str
    size_bytes: int
    kind: str = "file"
    meta: dict[str, Any] = {}


class FinishIn(BaseModel):
    """`contents`: bytes of small outputs by digest, in base64."""

    step_id: str
    status: Literal["succeeded", "failed", "cancelled"]
    attempts: int
    outputs: list[OutputIn] = []
    contents: dict[str, Base64Bytes] = {}
    facts: dict[str, Any] = {}
    error: dict[str, str] | None = None
    log: dict[str, Any] | None = None
    is_deterministic: bool | None = None
    params: dict[str, Any] = {}
    points: list[PointIn] = []
    artifacts: list[ArtifactIn] = []
    has_begun: bool = False

    def finish(self) -> Finish:
        given = _fields(self)
        given["outputs"] = [Output(**_fields(output)) for output in self.outputs]
        given["points"] = [Point(**_fields(point)) for point in self.points]
        given["artifacts"] = [Artifact(**_fields(artifact)) for artifact in self.artifacts]
        return Finish(**given)


class ReuseIn(BaseModel):
    claim: ClaimIn
    original_id: str


class ExchangeIn(BaseModel):
    claims: list[ClaimIn] = []
    finishes: list[FinishIn] = []
    reuses: list[ReuseIn] = []

    def exchange(self) -> Exchange:
        return Exchange(
            [Claim(**_fields(claim)) for claim in self.claims],
            [finish.finish() for finish in self.finishes],
            [Reuse(Claim(**_fields(reuse.claim)), reuse.original_id) for reuse in self.reuses],
        )


class Points(BaseModel):
    step_id: str
    points: list[PointIn]
    is_first: bool


class SkipIn(BaseModel):
    step_id: str
    name: str
    ordinal: int
    kind: Kind = "step"
    needs: list[str] = []


class End(BaseModel):
    status: Literal["succeeded", "failed", "cancelled"]
    error: dict[str, str] | None = None
    skipped: list[SkipIn] = []


def routes(pipelines: PipelineService) -> APIRouter:
    router = APIRouter(prefix="/pipelines", tags=["pipelines"])

    @router.post("/definitions/plan")
    def plan(principal: Caller, body: Definitions) -> list[dict[str, Any]]:
        return _list(pipelines.plan(principal, body.definitions, prune=body.prune))

    @router.post("/definitions/apply")
    def apply(principal: Caller, body: Definitions) -> list[dict[str, Any]]:
        return _list(pipelines.apply(principal, body.definitions, prune=body.prune))

    @router.get("/definitions")
    def definitions(principal: Caller) -> list[dict[str, Any]]:
        return _list(pipelines.pipelines(principal))

    @router.get("/definitions/{name}")
    def definition(principal: Caller, name: str) -> dict[str, Any]:
        return _dict(pipelines.pipeline(principal, name))

    @router.post("/runs")
    def start(principal: Caller, body: StartIn) -> dict[str, Any]:
        run = pipelines.start_run(principal, Start(**_fields(body)))
        return {"run": plain(run), "hints": plain(pipelines.hints(principal, run))}

    @router.get("/runs")
    def runs(
        principal: Caller, pipeline: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 50
    ) -> list[dict[str, Any]]:
        return _list(pipelines.runs(principal, pipeline=pipeline, limit=limit))

    @router.get("/runs/{id}")
    def run(principal: Caller, id: str) -> dict[str, Any]:
        found, steps = pipelines.run(principal, id)
        return {"run": plain(found), "steps": [{**plain(step), "label": step.label} for step in steps]}

    @router.get("/runs/{id}/why")
    def why(principal: Caller, id: str, step: str) -> list[str]:
        return pipelines.why(principal, id, step)

    @router.post("/runs/{id}/exchange")
    def exchange(principal: Caller, id: str, body: ExchangeIn) -> JSONResponse:
        run, steps = pipelines.exchange(principal, id, body.exchange())
        # What the driver sent it need not get back: this answers once per step.
        claimed = [{"id": s.id, "status": s.status, "outputs": s.outputs, "reused": s.reused} for s in steps]
        # Rendered here: what the framework does for an answer of unknown shape costs as much as the work.
        return JSONResponse({"cancel": run.cancel_requested, "claimed": claimed})

    @router.post("/runs/{id}/points")
    def record_points(principal: Caller, id: str, body: Points) -> dict[str, int]:
        points = [Point(**_fields(point)) for point in body.points]
        pipelines.record_points(principal, id, body.step_id, points, is_first=body.is_first)
        return {"points": len(points)}

    @router.post("/runs/{id}/finish")
    def end(principal: Caller, id: str, body: End) -> dict[str, Any]:
        skipped = [Skip(**_fields(skip)) for skip in body.skipped]
        return _dict(pipelines.finish_run(principal, id, body.status, body.error, skipped))

    @router.post("/runs/{id}/cancel")
    def cancel(principal: Caller, id: str) -> dict[str, Any]:
        return _dict(pipelines.cancel_run(principal, id))

    @router.get("/steps/{id}")
    def step(principal: Caller, id: str) -> dict[str, Any]:
        found = pipelines.step(principal, id)
        return {**_dict(found), "label": found.label}

    return router


def _fields(body: BaseModel) -> dict[str, Any]:
    return {name: getattr(body, name) for name in type(body).model_fields}


def _dict(value: Any) -> dict[str, Any]:
    shown: dict[str, Any] = plain(value)
    return shown


def _list(value: Any) -> list[Any]:
    shown: list[Any] = plain(value)
    return shown
