"""The tables of pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata, project_column
from mainspring.engines.sql.contract import Work
from mainspring.pipelines.model.runs import AppliedPipeline, Definition, Run, RunId, StepId, StepRun

definitions = Table(
    "pipelines_definitions",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("definition", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)
pipelines = Table(
    "pipelines_pipelines",
    metadata,
    id_column(),
    project_column(),
    Column("name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("definition_hash", String(64), nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("is_retired", Boolean, nullable=False),
    UniqueConstraint("project", "name"),
)
runs = Table(
    "pipelines_runs",
    metadata,
    id_column(),
    project_column(),
    Column("pipeline", String(64), nullable=False),
    Column("definition_hash", String(64), nullable=False),
    Column("params", Json, nullable=False),
    Column("inputs", Json, nullable=False),
    Column("environment_id", String(64)),
    Column("resumed_from", String(64)),
    Column("driver", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Json),
    Column("cancel_requested", Boolean, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    Column("ended_at", Instant),
)
Index("ix_pipelines_runs_newest", runs.c.project, runs.c.pipeline, runs.c.started_at)
Index("ix_pipelines_runs_status", runs.c.status)
steps = Table(
    "pipelines_steps",
    metadata,
    id_column(),
    project_column(),
    Column("run_id", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("key", String(64)),
    Column("parts", Json),
    Column("needs", Json, nullable=False),
    Column("outputs", Json, nullable=False),
    Column("reused", Json),
    Column("uncached", String(200)),
    Column("facts", Json, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Json),
    Column("log", Json),
    Column("is_deterministic", Boolean),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("run_id", "name", "ordinal"),
)
Index("ix_pipelines_steps_key", steps.c.project, steps.c.key)
Index("ix_pipelines_steps_name", steps.c.project, steps.c.name, steps.c.started_at)
# Built once: every step of every run asks these.
_RUN = select(runs).where(runs.c.project == bindparam("of_project"), runs.c.id == bindparam("of_id"))
_OF_KEY = (
    select(steps)
    .where(steps.c.project == bindparam("of_project"), steps.c.key == bindparam("of_key"))
    .where(steps.c.status == "succeeded", steps.c.is_deterministic.is_not(False))
    .order_by(steps.c.started_at.desc())
    .limit(1)
)
_AT = select(steps).where(
    steps.c.run_id == bindparam("of_run"),
    steps.c.name == bindparam("of_name"),
    steps.c.ordinal == bindparam("of_ordinal"),
)
_BEAT = update(runs).where(runs.c.id == bindparam("of_id")).values(heartbeat_at=bindparam("at"))
_STEP = select(steps).where(steps.c.project == bindparam("of_project"), steps.c.id == bindparam("of_id"))
_ENDING = ("status", "outputs", "facts", "attempts", "error", "log", "is_deterministic", "ended_at")
_END_STEP = update(steps).where(steps.c.id == bindparam("of_id")).values({n: bindparam(n) for n in _ENDING})
_ADD_STEP = insert(steps)


def add_definition(work: Work, definition: Definition) -> bool:
    """Keep a definition; False where it is known."""
    project = work.principal.project
    known = definition_of(work.connection, project, definition.hash)
    if known is None:
        work.execute(insert(definitions).values(project=project, **vars(definition)))
    return known is None


def definition_of(connection: Connection, project: str, hash: str) -> Definition | None:
    query = select(definitions).where(definitions.c.project == project, definitions.c.hash == hash)
    row = connection.execute(query).first()
    return Definition(row.hash, row.name, row.definition, row.created_at) if row else None


def applied(connection: Connection, project: str) -> list[AppliedPipeline]:
    query = select(pipelines).where(pipelines.c.project == project).order_by(pipelines.c.name)
    return [_applied(row) for row in connection.execute(query)]


def applied_definitions(connection: Connection, project: str) -> dict[str, Mapping[str, Any]]:
    """The definitions of the applied pipelines, by hash."""
    here = (definitions.c.project == pipelines.c.project) & (definitions.c.hash == pipelines.c.definition_hash)
    query = select(definitions.c.hash, definitions.c.definition).join(pipelines, here)
    return {row.hash: row.definition for row in connection.execute(query.where(pipelines.c.project == project))}


def applied_named(connection: Connection, project: str, name: str) -> AppliedPipeline | None:
    row = connection.execute(select(pipelines).where(pipelines.c.project == project, pipelines.c.name == name)).first()
    return _applied(row) if row else None


def save_applied(work: Work, pipeline: AppliedPipeline) -> None:
    values = vars(pipeline)
    if work.execute(update(pipelines).where(pipelines.c.id == pipeline.id).values(**values)).rowcount == 0:
        work.execute(insert(pipelines).values(project=work.principal.project, **values))


def add_run(work: Work, run: Run) -> None:
    work.execute(insert(runs).values(**vars(run)))


def run(connection: Connection, project: str, id: str) -> Run | None:
    row = connection.execute(_RUN, {"of_project": project, "of_id": id}).first()
    return _run(row) if row else None


def recent_runs(connection: Connection, project: str, *, pipeline: str | None, limit: int) -> list[Run]:
    query = (
        select(runs).where(runs.c.project == project).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(limit)
    )
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    return [_run(row) for row in connection.execute(query)]


def silent_runs(connection: Connection, since: datetime) -> list[Run]:
    """Running runs of all projects whose driver was last heard of before `since`."""
    query = select(runs).where(runs.c.status == "running", runs.c.heartbeat_at < since)
    return [_run(row) for row in connection.execute(query)]


def beat(work: Work, run_id: str) -> None:
    work.execute(_BEAT, {"of_id": run_id, "at": work.now})


def end_run(work: Work, run_id: str, status: str, error: Mapping[str, str] | None) -> None:
    values = {"status": status, "error": error, "ended_at": work.now}
    work.execute(update(runs).where(runs.c.id == run_id).values(**values))


def request_cancel(work: Work, run_id: str) -> None:
    work.execute(update(runs).where(runs.c.id == run_id).values(cancel_requested=True))


def add_step(work: Work, step: StepRun) -> None:
    work.execute(_ADD_STEP, vars(step))


def end_step(work: Work, step_id: str, **values: Any) -> None:
    work.execute(_END_STEP, {"of_id": step_id, "ended_at": work.now, **values})


def end_open_steps(work: Work, run_id: str, status: str) -> None:
    """What still ran when its run ended."""
    open_ = (steps.c.run_id == run_id) & (steps.c.status == "running")
    work.execute(update(steps).where(open_).values(status=status, ended_at=work.now))


def step(connection: Connection, project: str, id: str) -> StepRun | None:
    row = connection.execute(_STEP, {"of_project": project, "of_id": id}).first()
    return _step(row) if row else None


def step_at(connection: Connection, run_id: str, name: str, ordinal: int) -> StepRun | None:
    row = connection.execute(_AT, {"of_run": run_id, "of_name": name, "of_ordinal": ordinal}).first()
    return _step(row) if row else None


def steps_by_id(connection: Connection, project: str, ids: Sequence[str]) -> dict[str, StepRun]:
    if not ids:
        return {}
    rows = connection.execute(select(steps).where(steps.c.project == project, steps.c.id.in_(ids)))
    return {row.id: _step(row) for row in rows}


def last_done_run(connection: Connection, project: str, pipeline: str) -> str | None:
    """The id of a pipeline's newest run that succeeded."""
    query = select(runs.c.id).where(
        runs.c.project == project, runs.c.pipeline == pipeline, runs.c.status == "succeeded"
    )
    found: str | None = connection.execute(query.order_by(runs.c.started_at.desc()).limit(1)).scalar()
    return found


def steps_of(connection: Connection, run_id: str) -> list[StepRun]:
    """In the order in which they were begun."""
    query = select(steps).where(steps.c.run_id == run_id).order_by(steps.c.started_at, steps.c.id)
    return [_step(row) for row in connection.execute(query)]


def earlier_executions(
    connection: Connection, project: str, pipeline: str, before: StepRun, limit: int = 200
) -> list[StepRun]:
    """Successful executions of a step's name in earlier runs of its pipeline, newest first."""
    query = (
        select(steps)
        .join(runs, runs.c.id == steps.c.run_id)
        .where(
            steps.c.project == project,
            steps.c.name == before.name,
            steps.c.status == "succeeded",
            steps.c.run_id != before.run_id,
            steps.c.started_at <= before.started_at,
            runs.c.pipeline == pipeline,
        )
        .order_by(steps.c.started_at.desc(), steps.c.id.desc())
        .limit(limit)
    )
    return [_step(row) for row in connection.execute(query)]


def execution_of(connection: Connection, project: str, key: str) -> StepRun | None:
    """The newest execution of a key that succeeded and was not found unrepeatable."""
    row = connection.execute(_OF_KEY, {"of_project": project, "of_key": key}).first()
    return _step(row) if row else None


def _applied(row: Row[Any]) -> AppliedPipeline:
    return AppliedPipeline(row.id, row.name, row.version, row.definition_hash, row.applied_at, row.is_retired)


def _run(row: Row[Any]) -> Run:
    return Run(**{**row._mapping, "id": RunId(row.id)})


def _step(row: Row[Any]) -> StepRun:
    return StepRun(**{**row._mapping, "id": StepId(row.id), "run_id": RunId(row.run_id)})
