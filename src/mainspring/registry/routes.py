"""HTTP routes of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from mainspring.kernel.canonical import plain
from mainspring.registry.model import Candidate, GateVerdict, ModelVersion
from mainspring.registry.service import Registration, RegistryService
from mainspring.registry.service.gates import answered
from mainspring.surfaces.http import Caller

Limit = Annotated[int, Query(ge=1, le=1000)]


class ArtifactIn(BaseModel):
    """An artifact by its digest, and the run that gave it, as pipelines hand over their outputs."""

    artifact: str
    run_id: str | None = None


class CandidateIn(BaseModel):
    model: ArtifactIn
    predictions: ArtifactIn | None = None


class JudgedIn(BaseModel):
    """A model and what it predicted on the holdout."""

    model: ArtifactIn
    predictions: ArtifactIn


class NewVersion(BaseModel):
    candidate: CandidateIn | ArtifactIn
    metrics: dict[str, float] = {}
    params: dict[str, Any] = {}
    dataset_version_ids: list[str] = []
    environment_id: str | None = None
    run_id: str | None = None
    owner: str = ""
    license: str = ""
    description: str = ""
    tags: dict[str, str] = {}

    def registration(self) -> Registration:
        model, predictions = _parts(self.candidate)
        return Registration(
            artifact=model.artifact,
            predictions=predictions.artifact if predictions else None,
            run_id=self.run_id or model.run_id,
            **self.model_dump(exclude={"candidate", "run_id"}),
        )


class GateIn(BaseModel):
    candidate: JudgedIn
    metric: str | None = None
    margin: float = 0.0
    threshold: float | None = None
    tie: Literal["block", "pass"] = "block"
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    holdout: ArtifactIn | None = None

    def parts(self) -> Candidate:
        holdout = self.holdout.artifact if self.holdout else None
        return Candidate(self.candidate.model.artifact, self.candidate.predictions.artifact, holdout)


class AliasIn(BaseModel):
    """`version` is `3`, `@other` or an id; None takes the alias away."""

    version: str | None
    reason: str = ""


class Because(BaseModel):
    reason: str = ""


def routes(registry: RegistryService) -> APIRouter:
    router = APIRouter(prefix="/registry", tags=["registry"])
    _models(router, registry)
    _versions(router, registry)
    _gates(router, registry)
    return router


def _models(router: APIRouter, registry: RegistryService) -> None:
    @router.get("/models")
    def models(principal: Caller, text: str | None = None, limit: Limit = 100) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = plain(registry.models(principal, text=text, limit=limit))
        return shown

    @router.get("/models/{name}")
    def model(principal: Caller, name: str) -> dict[str, Any]:
        found = plain(registry.model(principal, name))
        versions = [summary(version) for version in registry.versions(principal, name=name)]
        return {**found, "versions": versions, "history": plain(registry.history(principal, name))}

    @router.post("/models/{name}/versions")
    def register(principal: Caller, name: str, body: NewVersion) -> dict[str, Any]:
        registered = registry.register(principal, name, body.registration())
        return {**shown(registered.version), "is_new": registered.is_new}

    @router.post("/models/{name}/aliases/{alias}")
    def set_alias(principal: Caller, name: str, alias: str, body: AliasIn) -> dict[str, Any]:
        registry.set_alias(principal, name, alias, body.version, reason=body.reason)
        return {"model": name, "alias": alias, "version": body.version}

    @router.post("/models/{name}/deprecate")
    def deprecate_model(principal: Caller, name: str, body: Because) -> dict[str, Any]:
        found: dict[str, Any] = plain(registry.deprecate_model(principal, name, reason=body.reason))
        return found


def _versions(router: APIRouter, registry: RegistryService) -> None:
    @router.get("/versions")
    def versions(principal: Caller, model: str | None = None, limit: Limit = 100) -> list[dict[str, Any]]:
        return [summary(version) for version in registry.versions(principal, name=model, limit=limit)]

    @router.get("/versions/{reference}")
    def version(principal: Caller, reference: str) -> dict[str, Any]:
        return shown(registry.version(principal, reference))

    @router.get("/versions/{reference}/artifact")
    def artifact(principal: Caller, reference: str, as_onnx: bool = False) -> StreamingResponse:
        found, pieces = registry.download(principal, reference, as_onnx=as_onnx)
        name = f"{found.model}-{found.number}.{'onnx' if as_onnx else 'model'}"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(pieces, media_type="application/octet-stream", headers=headers)

    @router.get("/versions/{reference}/accesses")
    def accesses(principal: Caller, reference: str, limit: Limit = 100) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = plain(registry.accesses(principal, reference, limit=limit))
        return found

    @router.get("/versions/{reference}/difference")
    def difference(principal: Caller, reference: str, to: str) -> dict[str, Any]:
        found: dict[str, Any] = plain(registry.compare(principal, reference, to))
        return found

    @router.post("/versions/{reference}/promote")
    def promote(principal: Caller, reference: str, body: Because) -> dict[str, Any]:
        return shown(registry.promote(principal, reference, reason=body.reason))

    @router.post("/versions/{reference}/deprecate")
    def deprecate(principal: Caller, reference: str, body: Because) -> dict[str, Any]:
        return shown(registry.deprecate(principal, reference, reason=body.reason))

    @router.post("/versions/{reference}/verify")
    def verify(principal: Caller, reference: str) -> dict[str, Any]:
        return registry.verify(principal, reference)

    @router.post("/versions/{reference}/convert")
    def convert(principal: Caller, reference: str) -> dict[str, Any]:
        return {"job_id": registry.conversions.convert(principal, reference)}


def _gates(router: APIRouter, registry: RegistryService) -> None:
    @router.post("/models/{name}/gate")
    def gate(principal: Caller, name: str, body: GateIn) -> dict[str, Any]:
        """The verdict, or {"job_id"} of the job whose result it will be."""
        options = body.model_dump(exclude={"candidate", "holdout"})
        found = registry.gates.judge(principal, name, body.parts(), **options)
        return answered(found) if isinstance(found, GateVerdict) else {"job_id": found}

    @router.get("/models/{name}/gates")
    def gates(principal: Caller, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = plain(registry.gates.gates(principal, name))
        return found

    @router.get("/gates/{id}")
    def one_gate(principal: Caller, id: str) -> dict[str, Any]:
        found: dict[str, Any] = plain(registry.gates.gate(principal, id))
        return found


def shown(version: ModelVersion) -> dict[str, Any]:
    """Everything about a version in JSON's types."""
    profile = {**vars(version.profile), "card": version.profile.card.to_json()}
    fields: dict[str, Any] = plain({**vars(version), "profile": profile})
    return {**fields, "reference": version.reference}


def summary(version: ModelVersion) -> dict[str, Any]:
    """A version in a list."""
    fields: Mapping[str, Any] = {
        "reference": version.reference,
        "id": version.id,
        "model": version.model,
        "number": version.number,
        "artifact_digest": version.artifact_digest,
        "aliases": version.aliases,
        "metrics": version.profile.metrics,
        "conversion": version.conversion.state,
        "registered_at": version.registered_at,
        "deprecated_at": version.deprecated_at,
    }
    found: dict[str, Any] = plain(fields)
    return found


def _parts(candidate: CandidateIn | ArtifactIn) -> tuple[ArtifactIn, ArtifactIn | None]:
    if isinstance(candidate, ArtifactIn):
        return candidate, None
    return candidate.model, candidate.predictions
