"""Ends runs whose driver fell silent, so that none is lost; they can be gone on with."""

from __future__ import annotations

from datetime import datetime, timedelta

from mainspring.access.service import SYSTEM
from mainspring.pipelines.service import PipelineService
from mainspring.surfaces.controllers import Controller


class InterruptedRuns(Controller):
    name = "pipelines.interrupted"
    every = timedelta(seconds=5)

    def __init__(self, pipelines: PipelineService) -> None:
        self._pipelines = pipelines

    def reconcile(self, now: datetime) -> datetime | None:
        self._pipelines.interrupt_silent(SYSTEM)
        return None
