"""HTTP routes of jobs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mainspring.jobs.model import Job
from mainspring.jobs.service import JobService
from mainspring.kernel.canonical import plain
from mainspring.surfaces.http import Caller


def routes(jobs: JobService) -> APIRouter:
    router = APIRouter(prefix="/jobs", tags=["jobs"])

    @router.get("")
    def recent(principal: Caller, limit: int = 50) -> list[dict[str, Any]]:
        return [_shown(job) for job in jobs.jobs(principal, limit=limit)]

    @router.get("/{id}")
    def job(principal: Caller, id: str) -> dict[str, Any]:
        return _shown(jobs.job(principal, id))

    return router


def _shown(job: Job) -> dict[str, Any]:
    shown: dict[str, Any] = plain(job)
    return {**shown, "asked_by": job.asked_by.name}
