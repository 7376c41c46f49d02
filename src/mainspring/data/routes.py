"""HTTP routes of data."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from mainspring.data.model import Attempt, Change, DatasetRecord, Ingested, LocatedFile, Version
from mainspring.data.service import DataService
from mainspring.engines.blobs.contract import Blob
from mainspring.surfaces.http import Caller, Upload


class Definitions(BaseModel):
    definitions: list[dict[str, Any]]
    folder: str | None = None


class NewIngest(BaseModel):
    fingerprint: str = Field(pattern="^[0-9a-f]{64}$")
    source_name: str


def routes(data: DataService) -> APIRouter:
    router = APIRouter(prefix="/data", tags=["data"])

    @router.post("/definitions/plan")
    def plan(principal: Caller, body: Definitions) -> list[Change]:
        return data.plan(principal, body.definitions)

    @router.post("/definitions/apply")
    def apply(principal: Caller, body: Definitions) -> list[Change]:
        return data.apply(principal, body.definitions, folder=body.folder)

    @router.get("/datasets")
    def datasets(principal: Caller) -> list[DatasetRecord]:
        return data.datasets(principal)

    @router.get("/datasets/{name}")
    def dataset(principal: Caller, name: str) -> DatasetRecord:
        return data.dataset(principal, name)

    @router.post("/datasets/{name}/ingest")
    def ingest(principal: Caller, name: str, body: NewIngest) -> Ingested:
        return data.ingest(principal, name, fingerprint=body.fingerprint, source_name=body.source_name)

    @router.get("/datasets/{name}/versions")
    def versions(principal: Caller, name: str, limit: int = 1000) -> list[Version]:
        return data.versions(principal, name, limit=limit)

    @router.get("/datasets/{name}/attempts")
    def attempts(principal: Caller, name: str, limit: int = 50) -> list[Attempt]:
        return data.attempts(principal, name, limit=limit)

    @router.get("/versions/{reference}")
    def version(principal: Caller, reference: str) -> Version:
        return data.version(principal, reference)

    @router.get("/versions/{reference}/manifest")
    def manifest(principal: Caller, reference: str) -> dict[str, Any]:
        return data.manifest(principal, reference)

    @router.get("/versions/{reference}/rows")
    def rows(principal: Caller, reference: str, limit: int = 10, offset: int = 0) -> list[dict[str, Any]]:
        return data.rows(principal, reference, limit=limit, offset=offset)

    @router.get("/versions/{reference}/files")
    def files(principal: Caller, reference: str) -> list[LocatedFile]:
        return data.files(principal, reference)

    @router.get("/versions/{reference}/files/{place}")
    def file(principal: Caller, reference: str, place: int) -> FileResponse:
        return FileResponse(data.file(principal, reference, place), media_type="application/vnd.apache.parquet")

    @router.get("/quarantine/{of}")
    def quarantine(principal: Caller, of: str, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        return data.quarantine(principal, of, limit=limit, offset=offset)

    @router.get("/uploads/{digest}")
    def has_upload(principal: Caller, digest: str) -> dict[str, bool]:
        return {"stored": data.has_upload(principal, digest)}

    @router.put("/uploads/{digest}")
    def upload(principal: Caller, digest: str, body: Upload) -> Blob:
        return data.upload(principal, body, expected=digest)

    return router
