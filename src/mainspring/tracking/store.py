"""The tables of tracking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    update,
)

from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata, project_column
from mainspring.engines.sql.contract import Work
from mainspring.tracking.model import Artifact, Environment, Point, Run, RunId, Status

environments = Table(
    "tracking_environments",
    metadata,
    id_column("id"),
    Column("project", String(64), primary_key=True),
    Column("lock_digest", String(64), nullable=False),
    Column("code", Json),
    Column("machine", Json, nullable=False),
)
runs = Table(
    "tracking_runs",
    metadata,
    id_column(),
    project_column(),
    Column("name", String(250), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("parent_id", String(64), index=True),
    Column("status", String(16), nullable=False),
    Column("environment_id", String(64)),
    Column("seeds", Json, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
)
Index("ix_tracking_runs_recent", runs.c.project, runs.c.started_at)
params = Table(
    "tracking_params",
    metadata,
    Column("run_id", String(64), ForeignKey("tracking_runs.id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Json),
)
points = Table(
    "tracking_points",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", String(64), ForeignKey("tracking_runs.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("time", Instant, nullable=False),
    # NULL stands for NaN, which SQLite cannot keep in a REAL; infinities it can.
    Column("value", Float),
)
Index("ix_tracking_points_run", points.c.run_id, points.c.key, points.c.step)
artifacts = Table(
    "tracking_artifacts",
    metadata,
    Column("run_id", String(64), ForeignKey("tracking_runs.id"), primary_key=True),
    Column("name", String(250), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("meta", Json, nullable=False),
)
uploads = Table(
    "tracking_uploads",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
)


# Built once: steps keep an output or two each, and building the statements would cost more than running them.
_UPLOAD = select(uploads.c.digest).where(
    uploads.c.project == bindparam("of_project", type_=String), uploads.c.digest == bindparam("of_digest", type_=String)
)
_ADD_UPLOAD = insert(uploads).from_select(
    ["project", "digest", "size_bytes"],
    select(
        bindparam("of_project", type_=String),
        bindparam("of_digest", type_=String),
        bindparam("of_size", type_=BigInteger),
    ).where(~_UPLOAD.exists()),
)


def add_environment(work: Work, environment: Environment) -> bool:
    """Record it once a project; False where it was known."""
    project = work.principal.project
    if environment_of(work.connection, project, environment.id):
        return False
    work.execute(
        insert(environments).values(
            id=environment.id,
            project=project,
            lock_digest=environment.lock_digest,
            code=environment.code,
            machine=environment.machine,
        )
    )
    return True


def environment_of(connection: Connection, project: str, id: str) -> Environment | None:
    query = select(environments).where(environments.c.id == id, environments.c.project == project)
    row = connection.execute(query).first()
    return Environment(row.id, row.lock_digest, row.code, row.machine) if row else None


def add_run(work: Work, run: Run) -> None:
    work.execute(insert(runs).values(**vars(run)))


def run(connection: Connection, project: str, id: str) -> Run | None:
    row = connection.execute(select(runs).where(runs.c.id == id, runs.c.project == project)).first()
    return _run(row) if row else None


def recent_runs(
    connection: Connection, project: str, *, kind: str | None, parent_id: str | None, limit: int
) -> list[Run]:
    query = select(runs).where(runs.c.project == project).order_by(runs.c.started_at.desc()).limit(limit)
    if kind is not None:
        query = query.where(runs.c.kind == kind)
    if parent_id is not None:
        query = query.where(runs.c.parent_id == parent_id)
    return [_run(row) for row in connection.execute(query)]


def children(connection: Connection, run_id: str) -> list[Run]:
    query = select(runs).where(runs.c.parent_id == run_id).order_by(runs.c.started_at)
    return [_run(row) for row in connection.execute(query)]


def end_run(work: Work, id: str, status: Status) -> None:
    work.execute(update(runs).where(runs.c.id == id).values(status=status, ended_at=work.now))


def set_seeds(work: Work, id: str, seeds: Mapping[str, int]) -> None:
    work.execute(update(runs).where(runs.c.id == id).values(seeds=dict(seeds)))


def add_params(work: Work, run_id: str, values: Mapping[str, Any]) -> None:
    if values:
        work.execute(insert(params), [{"run_id": run_id, "key": k, "value": v} for k, v in values.items()])


def params_of(connection: Connection, run_id: str) -> dict[str, Any]:
    query = select(params.c.key, params.c.value).where(params.c.run_id == run_id).order_by(params.c.key)
    return {row.key: row.value for row in connection.execute(query)}


def add_points(work: Work, run_id: str, values: Sequence[Point]) -> None:
    if values:
        rows = [
            {
                "run_id": run_id,
                "key": p.key,
                "step": p.step,
                "time": p.time,
                "value": None if math.isnan(p.value) else p.value,
            }
            for p in values
        ]
        work.execute(insert(points), rows)


def history(connection: Connection, run_id: str, key: str) -> list[Point]:
    """Every point of a metric, by step and then in the order it came."""
    query = select(points).where(points.c.run_id == run_id, points.c.key == key).order_by(points.c.step, points.c.id)
    return [_point(row) for row in connection.execute(query)]


def last_values(connection: Connection, run_id: str) -> dict[str, float]:
    """The value at the highest step of each metric; of several there, the one that came last."""
    rank = func.row_number().over(partition_by=points.c.key, order_by=(points.c.step.desc(), points.c.id.desc()))
    ranked = select(points.c.key, points.c.value, rank.label("rank")).where(points.c.run_id == run_id).subquery()
    query = select(ranked.c.key, ranked.c.value).where(ranked.c.rank == 1).order_by(ranked.c.key)
    return {row.key: math.nan if row.value is None else row.value for row in connection.execute(query)}


def all_points(connection: Connection, run_id: str) -> Iterable[Point]:
    query = select(points).where(points.c.run_id == run_id).order_by(points.c.key, points.c.step, points.c.id)
    return (_point(row) for row in connection.execute(query))


def add_artifacts(work: Work, run_id: str, values: Sequence[Artifact]) -> None:
    if values:
        work.execute(insert(artifacts), [{"run_id": run_id, **vars(a), "meta": dict(a.meta)} for a in values])
        for artifact in values:
            add_upload(work, artifact.digest, artifact.size_bytes)


def artifacts_of(connection: Connection, run_id: str) -> list[Artifact]:
    query = select(artifacts).where(artifacts.c.run_id == run_id).order_by(artifacts.c.name)
    return [Artifact(row.name, row.digest, row.size_bytes, row.kind, row.meta) for row in connection.execute(query)]


def add_upload(work: Work, digest: str, size_bytes: int) -> None:
    """Remember that the project may read this blob: knowing a digest alone opens nothing."""
    given = {"of_project": work.principal.project, "of_digest": digest, "of_size": size_bytes}
    work.execute(_ADD_UPLOAD, given)


def may_read(connection: Connection, project: str, digest: str) -> bool:
    return connection.execute(_UPLOAD, {"of_project": project, "of_digest": digest}).first() is not None


def _run(row: Row[Any]) -> Run:
    return Run(**{**row._mapping, "id": RunId(row.id)})


def _point(row: Row[Any]) -> Point:
    return Point(row.key, math.nan if row.value is None else row.value, row.step, row.time)
