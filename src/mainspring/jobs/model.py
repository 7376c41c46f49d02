"""Jobs: work the platform does by itself, leased to one worker at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar

from mainspring.kernel.principals import Principal

T = TypeVar("T")
State = Literal["queued", "running", "succeeded", "failed"]
LEASE = timedelta(seconds=30)
MOST_ATTEMPTS = 3


class Isolate(Protocol):
    """Runs a module-level function in a process of its own, without platform handle."""

    def __call__(self, function: Callable[..., T], arguments: dict[str, Any], /) -> T: ...


JobHandler = Callable[[Principal, dict[str, Any], Isolate], dict[str, Any]]
"""(who asked, arguments, isolate) -> result. Run at least once: a handler must be safe to repeat."""


@dataclass(frozen=True)
class Job:
    """A unit of work and how far it is.

    attempts  how often a worker has begun it; a job whose worker dies three times has failed.
    error     the wire form of the error that ended it.
    """

    id: str
    project: str
    kind: str
    arguments: Mapping[str, Any]
    asked_by: Principal
    state: State
    attempts: int
    result: Mapping[str, Any] | None
    error: Mapping[str, str] | None
    requested_at: datetime
    finished_at: datetime | None


def is_due(state: str, leased_until: datetime | None, now: datetime) -> bool:
    """Whether a worker may take the job: it waits, or the worker that had it is gone."""
    return state == "queued" or (state == "running" and leased_until is not None and leased_until <= now)
