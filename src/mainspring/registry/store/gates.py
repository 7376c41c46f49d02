"""Queries of verdicts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from mainspring.engines.sql.contract import Work
from mainspring.kernel.canonical import plain
from mainspring.kernel.verdicts import Verdict
from mainspring.registry.model import Candidate, GateSettings, GateVerdict, Model
from mainspring.registry.store.tables import gates, models


def add_gate(work: Work, model_id: str, gate: GateVerdict) -> None:
    work.execute(
        insert(gates).values(
            id=gate.id,
            project=gate.project,
            model_id=model_id,
            key=gate.key,
            model_digest=gate.candidate.model_digest,
            candidate=plain(gate.candidate),
            champion_id=gate.champion_id,
            settings=plain(gate.settings),
            verdict=plain(gate.verdict),
            judged_by=gate.judged_by,
            judged_at=gate.judged_at,
        )
    )


def gate(connection: Connection, project: str, id: str) -> GateVerdict | None:
    return next(iter(_gates(connection, project, gates.c.id == id)), None)


def gate_of_key(connection: Connection, project: str, key: str) -> GateVerdict | None:
    return next(iter(_gates(connection, project, gates.c.key == key)), None)


def gates_of_artifact(connection: Connection, model: Model, digest: str) -> list[GateVerdict]:
    """Verdicts on an artifact as a version of the model, newest first."""
    return _gates(connection, model.project, gates.c.model_id == model.id, gates.c.model_digest == digest)


def gates_of_model(connection: Connection, model: Model) -> list[GateVerdict]:
    """Newest first."""
    return _gates(connection, model.project, gates.c.model_id == model.id)


def _gates(connection: Connection, project: str, *conditions: Any) -> list[GateVerdict]:
    joined = gates.join(models, models.c.id == gates.c.model_id)
    query = select(gates, models.c.name).select_from(joined).where(gates.c.project == project, *conditions)
    return [
        GateVerdict(
            id=row.id,
            project=row.project,
            model=row.name,
            key=row.key,
            candidate=Candidate(**row.candidate),
            champion_id=row.champion_id,
            settings=GateSettings(**row.settings),
            verdict=Verdict(**row.verdict),
            judged_by=row.judged_by,
            judged_at=row.judged_at,
        )
        for row in connection.execute(query.order_by(gates.c.judged_at.desc(), gates.c.id.desc()))
    ]
