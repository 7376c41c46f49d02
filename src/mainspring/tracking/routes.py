"""HTTP routes of tracking."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from mainspring.engines.blobs.contract import Blob
from mainspring.kernel.canonical import plain
from mainspring.surfaces.http import Caller, Upload
from mainspring.tracking.model import Artifact, Environment, Point, Run
from mainspring.tracking.service import TrackingService


class EnvironmentIn(BaseModel):
    lock: str
    code: dict[str, Any] | None = None
    patch: str = ""
    machine: dict[str, Any] = {}


class RunIn(BaseModel):
    name: str
    parent_id: str | None = None
    environment_id: str | None = None
    seeds: dict[str, int] = {}


class PointIn(BaseModel):
    """`value` may be the text NaN, Infinity or -Infinity."""

    key: str
    value: float
    step: int = 0
    time: datetime

    def point(self) -> Point:
        return Point(self.key, self.value, self.step, self.time)


class ArtifactIn(BaseModel):
    name: str
    digest: str
    size_bytes: int
    kind: str = "file"
    meta: dict[str, Any] = {}

    def artifact(self) -> Artifact:
        return Artifact(self.name, self.digest, self.size_bytes, self.kind, self.meta)


class Records(BaseModel):
    params: dict[str, Any] = {}
    points: Annotated[list[PointIn], Field(max_length=100_000)] = []
    artifacts: list[ArtifactIn] = []


class End(BaseModel):
    status: Literal["succeeded", "failed", "cancelled", "interrupted"]


def routes(tracking: TrackingService) -> APIRouter:
    router = APIRouter(prefix="/tracking", tags=["tracking"])

    @router.post("/environments")
    def record_environment(principal: Caller, body: EnvironmentIn) -> Environment:
        return tracking.record_environment(
            principal, lock=body.lock, code=body.code, patch=body.patch, machine=body.machine
        )

    @router.post("/runs")
    def start_run(principal: Caller, body: RunIn) -> Run:
        return tracking.start_run(
            principal, name=body.name, parent_id=body.parent_id, environment_id=body.environment_id, seeds=body.seeds
        )

    @router.get("/runs")
    def runs(
        principal: Caller,
        kind: str | None = None,
        parent_id: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[Run]:
        return tracking.runs(principal, kind=kind, parent_id=parent_id, limit=limit)

    @router.get("/runs/{id}")
    def run(principal: Caller, id: str) -> dict[str, Any]:
        shown: dict[str, Any] = plain(tracking.run(principal, id))
        return shown

    @router.post("/runs/{id}/records")
    def log(principal: Caller, id: str, body: Records) -> dict[str, int]:
        points = [point.point() for point in body.points]
        artifacts = [artifact.artifact() for artifact in body.artifacts]
        tracking.log(principal, id, params=body.params, points=points, artifacts=artifacts)
        return {"params": len(body.params), "points": len(points), "artifacts": len(artifacts)}

    @router.post("/runs/{id}/end")
    def end_run(principal: Caller, id: str, body: End) -> Run:
        return tracking.end_run(principal, id, body.status)

    @router.get("/runs/{id}/metrics")
    def history(principal: Caller, id: str, key: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = plain(tracking.history(principal, id, key))
        return shown

    @router.put("/artifacts/{digest}")
    def put_artifact(principal: Caller, digest: str, body: Upload) -> Blob:
        return tracking.put_artifact(principal, body, expected=digest)

    @router.get("/artifacts/{digest}")
    def artifact(principal: Caller, digest: str) -> StreamingResponse:
        return StreamingResponse(tracking.artifact(principal, digest), media_type="application/octet-stream")

    return router
