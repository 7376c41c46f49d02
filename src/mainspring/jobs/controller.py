"""Runs due jobs under `mainspring up`. Each job has a lease of its own, so replicas share the work."""

from __future__ import annotations

from datetime import datetime, timedelta

from mainspring.jobs.service import JobService
from mainspring.kernel.principals import Principal
from mainspring.surfaces.controllers import Controller


class JobRunner(Controller):
    name = "jobs.run"
    every = timedelta(milliseconds=200)

    def __init__(self, jobs: JobService, worker: Principal) -> None:
        self._jobs, self._worker = jobs, worker

    def reconcile(self, now: datetime) -> datetime | None:
        self._jobs.run_due(self._worker)
        return None
