"""HTTP routes of lineage."""

from __future__ import annotations

from fastapi import APIRouter

from mainspring.lineage.model import Graph
from mainspring.lineage.service import LineageService
from mainspring.surfaces.http import Caller


def routes(lineage: LineageService) -> APIRouter:
    router = APIRouter(prefix="/lineage", tags=["lineage"])

    @router.get("/why")
    def why(principal: Caller, name: str) -> Graph:
        return lineage.why(principal, name)

    @router.get("/impact")
    def impact(principal: Caller, name: str) -> Graph:
        return lineage.impact(principal, name)

    return router
