"""Leases: at most one holder of a name at a time, however many replicas ask."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, String, Table, delete, insert, select, update

from mainspring.engines.ledger.schema import Instant, id_column, metadata

leases = Table(
    "leases",
    metadata,
    id_column("name"),
    Column("holder", String(64), nullable=False),
    Column("until", Instant, nullable=False),
)


def take(connection: Connection, now: datetime, name: str, holder: str, span: timedelta) -> bool:
    """Take or renew the lease inside the caller's transaction; False while another holds it."""
    row = connection.execute(select(leases.c.holder, leases.c.until).where(leases.c.name == name)).first()
    if row is None:
        connection.execute(insert(leases).values(name=name, holder=holder, until=now + span))
        return True
    if row.holder != holder and row.until > now:
        return False
    connection.execute(update(leases).where(leases.c.name == name).values(holder=holder, until=now + span))
    return True


def release(connection: Connection, name: str, holder: str) -> None:
    """Give the lease up, if `holder` has it."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
