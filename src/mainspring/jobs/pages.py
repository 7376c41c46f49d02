"""The pages of jobs: what the platform does by itself, and how it went."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mainspring.jobs.service import JobService
from mainspring.surfaces.http import Caller
from mainspring.surfaces.pages import Entry, Site, render


def pages(jobs: JobService, site: Site) -> APIRouter:
    router = APIRouter()
    site.navigation.append(Entry("Jobs", "/ui/jobs", "platform"))
    site.addresses["job"] = "/ui/jobs/"

    @router.get("/ui/jobs")
    def recent(principal: Caller, request: Request) -> Response:
        return render(request, "jobs/jobs.html", jobs=jobs.jobs(principal, limit=100))

    @router.get("/ui/jobs/{id}")
    def job(principal: Caller, request: Request, id: str) -> Response:
        return render(request, "jobs/job.html", job=jobs.job(principal, id))

    return router
