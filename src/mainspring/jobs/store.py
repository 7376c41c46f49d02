"""The table of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, Row, String, Table, insert, or_, select, update

from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata, project_column
from mainspring.engines.sql.contract import Work
from mainspring.jobs.model import LEASE, Job
from mainspring.kernel.ids import PrincipalId
from mainspring.kernel.principals import Principal, Role

jobs = Table(
    "jobs_jobs",
    metadata,
    id_column(),
    project_column(),
    Column("kind", String(80), nullable=False),
    Column("arguments", Json, nullable=False),
    Column("asked_by", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", String(64)),
    Column("leased_until", Instant),
    Column("result", Json),
    Column("error", Json),
    Column("requested_at", Instant, nullable=False),
    Column("finished_at", Instant),
)
Index("ix_jobs_due", jobs.c.state, jobs.c.requested_at)


def add(work: Work, id: str, kind: str, arguments: Mapping[str, Any]) -> None:
    who = work.principal
    work.execute(
        insert(jobs).values(
            id=id,
            project=who.project,
            kind=kind,
            arguments=dict(arguments),
            asked_by=_principal_to_json(who),
            state="queued",
            attempts=0,
            requested_at=work.now,
        )
    )


def job(connection: Connection, project: str, id: str) -> Job | None:
    row = connection.execute(select(jobs).where(jobs.c.id == id, jobs.c.project == project)).first()
    return _job(row) if row else None


def recent(connection: Connection, project: str, limit: int) -> list[Job]:
    query = select(jobs).where(jobs.c.project == project).order_by(jobs.c.requested_at.desc()).limit(limit)
    return [_job(row) for row in connection.execute(query)]


def any_due(connection: Connection, now: datetime) -> bool:
    return connection.execute(_due(now).limit(1)).first() is not None


def claim(work: Work, worker: str) -> Job | None:
    """Take the oldest due job for `worker`, one attempt more; None where there is none."""
    row = work.execute(_due(work.now).limit(1)).first()
    if row is None:
        return None
    work.execute(
        update(jobs)
        .where(jobs.c.id == row.id)
        .values(state="running", worker=worker, attempts=row.attempts + 1, leased_until=work.now + LEASE)
    )
    return _job(row, state="running", attempts=row.attempts + 1)


def renew(work: Work, id: str, worker: str) -> bool:
    held = (jobs.c.id == id) & (jobs.c.worker == worker) & (jobs.c.state == "running")
    return work.execute(update(jobs).where(held).values(leased_until=work.now + LEASE)).rowcount == 1


def finish(
    work: Work, id: str, worker: str, state: str, result: Mapping[str, Any] | None, error: Mapping[str, str] | None
) -> bool:
    """Record the end, if `worker` still holds the job."""
    held = (jobs.c.id == id) & (jobs.c.worker == worker) & (jobs.c.state == "running")
    values = {"state": state, "result": result, "error": error, "finished_at": work.now, "leased_until": None}
    return work.execute(update(jobs).where(held).values(**values)).rowcount == 1


def _due(now: datetime) -> Any:
    gone = (jobs.c.state == "running") & (jobs.c.leased_until <= now)
    return select(jobs).where(or_(jobs.c.state == "queued", gone)).order_by(jobs.c.requested_at, jobs.c.id)


def _job(row: Row[Any], **changed: Any) -> Job:
    fields = {**row._mapping, **changed}
    for inner in ("worker", "leased_until"):
        fields.pop(inner)
    return Job(**{**fields, "asked_by": _principal_from_json(fields["asked_by"])})


def _principal_to_json(who: Principal) -> dict[str, Any]:
    role = None if who.role is None else who.role.name
    scopes = None if who.scopes is None else sorted(who.scopes)
    return {"id": who.id, "name": who.name, "project": who.project, "role": role, "scopes": scopes}


def _principal_from_json(fields: Mapping[str, Any]) -> Principal:
    return Principal(
        PrincipalId(fields["id"]),
        fields["name"],
        fields["project"],
        None if fields["role"] is None else Role[fields["role"]],
        None if fields["scopes"] is None else frozenset(fields["scopes"]),
    )
