"""The event tables: one chain per project, written only inside a unit of work.

`events` holds what is chained; `payloads` holds what may be erased. The table is the outbox as
well: readers keep a cursor on `seq` and see events in order, at least once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata
from mainspring.kernel.chain import GENESIS, link_hash, payload_mac
from mainspring.kernel.events import Event, LoggedEvent, drawn_edges

chains = Table(
    "chains",
    metadata,
    id_column("project"),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
events = Table(
    "events",
    metadata,
    id_column(),
    Column("project", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("time", Instant, nullable=False),
    Column("kind", String(80), nullable=False),
    Column("principal_id", String(64), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("subjects", Json, nullable=False),
    Column("edges", Json, nullable=False),
    Column("mac", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("previous_hash", String(64), nullable=False),
    UniqueConstraint("project", "seq"),
    UniqueConstraint("project", "previous_hash"),
)
payloads = Table(
    "payloads",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("payload", Json, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)
event_subjects = Table(
    "event_subjects",
    metadata,
    Column("subject_id", String(64), nullable=False, primary_key=True),
    Column("event_id", String(64), ForeignKey("events.id"), nullable=False, primary_key=True),
)
Index("ix_events_kind", events.c.project, events.c.kind, events.c.seq)

_READ = select(events, payloads.c.payload).outerjoin(payloads, payloads.c.event_id == events.c.id)
# Built once: SQLAlchemy's statement construction would otherwise be a third of an append's cost.
_HEAD = select(chains.c.seq, chains.c.hash).where(chains.c.project == bindparam("of_project")).with_for_update()
_ADVANCE = update(chains).where(chains.c.project == bindparam("of_project"))
_ADVANCE = _ADVANCE.values(seq=bindparam("to_seq"), hash=bindparam("to_hash"))
_ADD_EVENT, _ADD_PAYLOAD, _ADD_SUBJECT = insert(events), insert(payloads), insert(event_subjects)


def append(
    connection: Connection, event: Event, *, project: str, principal_id: str, time: datetime, id: str
) -> LoggedEvent:
    """Write `event` as the next link of its project's chain, inside the caller's transaction."""
    head = connection.execute(_HEAD, {"of_project": project}).first()
    seq, previous_hash = (head.seq + 1, head.hash) if head else (1, GENESIS)
    subjects, payload, edges, salt = event.subjects(), event.payload(), drawn_edges(event), os.urandom(16)
    chained: dict[str, Any] = {
        "project": project,
        "seq": seq,
        "id": id,
        "time": time,
        "kind": event.kind,
        "principal_id": principal_id,
        "subject": event.subject(),
        "subjects": subjects,
        "edges": edges,
        "mac": payload_mac(payload, salt),
        "previous_hash": previous_hash,
    }
    hash = link_hash(**chained)
    connection.execute(_ADD_EVENT, {**chained, "hash": hash})
    connection.execute(_ADD_PAYLOAD, {"event_id": id, "payload": payload, "salt": salt})
    if ids := sorted(set(_flat(subjects))):
        connection.execute(_ADD_SUBJECT, [{"subject_id": item, "event_id": id} for item in ids])
    if head:
        connection.execute(_ADVANCE, {"of_project": project, "to_seq": seq, "to_hash": hash})
    else:
        connection.execute(insert(chains).values(project=project, seq=seq, hash=hash))
    return LoggedEvent(
        project,
        seq,
        id,
        time,
        event.kind,
        principal_id,
        event.subject(),
        subjects,
        payload,
        tuple(edges),
        hash,
        previous_hash,
    )


def read(
    connection: Connection, project: str, *, after: int = 0, kinds: tuple[str, ...] = (), limit: int = 1000
) -> list[LoggedEvent]:
    """Events of a project with `seq` greater than `after`, oldest first."""
    query = _READ.where(events.c.project == project, events.c.seq > after).order_by(events.c.seq).limit(limit)
    if kinds:
        query = query.where(events.c.kind.in_(kinds))
    return [_logged(row) for row in connection.execute(query)]


def about(connection: Connection, project: str, subject_id: str, *, limit: int = 1000) -> list[LoggedEvent]:
    """Events of a project which name `subject_id`, oldest first."""
    named = select(event_subjects.c.event_id).where(event_subjects.c.subject_id == subject_id)
    query = _READ.where(events.c.project == project, events.c.id.in_(named)).order_by(events.c.seq).limit(limit)
    return [_logged(row) for row in connection.execute(query)]


def latest(connection: Connection, project: str, *, limit: int = 50) -> list[LoggedEvent]:
    """The newest events of a project, newest first."""
    query = _READ.where(events.c.project == project).order_by(events.c.seq.desc()).limit(limit)
    return [_logged(row) for row in connection.execute(query)]


def head(connection: Connection, project: str) -> tuple[int, str]:
    """(seq, hash) of the chain's last event; (0, GENESIS) where there is none."""
    row = connection.execute(select(chains.c.seq, chains.c.hash).where(chains.c.project == project)).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def _flat(subjects: dict[str, Any]) -> Iterator[str]:
    for value in subjects.values():
        if isinstance(value, str):
            yield value
        elif value is not None:
            yield from value


def _logged(row: Row[Any]) -> LoggedEvent:
    return LoggedEvent(
        row.project,
        row.seq,
        row.id,
        row.time,
        row.kind,
        row.principal_id,
        row.subject,
        row.subjects,
        row.payload,
        tuple((source, relation, target) for source, relation, target in row.edges),
        row.hash,
        row.previous_hash,
    )
