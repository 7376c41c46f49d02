"""HTTP routes of audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from mainspring.audit.model import ChainReport, Head
from mainspring.audit.service import AuditService
from mainspring.kernel.events import LoggedEvent
from mainspring.surfaces.http import Caller


class Erasure(BaseModel):
    reason: str


class Kept(BaseModel):
    heads: list[Head] = []


def routes(audit: AuditService) -> APIRouter:
    router = APIRouter(prefix="/audit", tags=["audit"])

    @router.get("/events")
    def events(
        principal: Caller,
        after: int = 0,
        kind: Annotated[list[str], Query()] = [],  # noqa: B006 (FastAPI copies it)
        about: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[LoggedEvent]:
        if about is not None:
            return audit.about(principal, about)
        return audit.events(principal, after=after, kinds=kind, limit=limit)

    @router.post("/verify")
    def verify(principal: Caller, body: Kept) -> list[ChainReport]:
        return audit.verify(principal, kept=body.heads)

    @router.post("/head")
    def head(principal: Caller) -> Head:
        return audit.head(principal)

    @router.post("/events/{id}/erase")
    def erase(principal: Caller, id: str, body: Erasure) -> LoggedEvent:
        return audit.erase(principal, id, body.reason)

    return router
