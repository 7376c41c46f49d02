"""What happened to jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.events import Event, subject


@dataclass(frozen=True, kw_only=True)
class JobRequested(Event):
    kind = "jobs.job.requested"
    job_id: str = subject()
    job_kind: str


@dataclass(frozen=True, kw_only=True)
class JobFinished(Event):
    kind = "jobs.job.finished"
    job_id: str = subject()
    job_kind: str
    state: str
    attempts: int
    error: Mapping[str, Any] | None
