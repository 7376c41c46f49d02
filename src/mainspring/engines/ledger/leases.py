"""Leases: at most one holder of a name at a time, however many replicas ask."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Column, String, Table, delete, insert, select, update

from mainspring.engines.sql.contract import Work
from mainspring.engines.ledger.schema import Instant, id_column, metadata

leases = Table(
    "leases",
    metadata,
    id_column("name"),
    Column("holder", String(64), nullable=False),
    Column("until", Instant, nullable=False),
)


def take(work: Work, name: str, holder: str, span: timedelta) -> bool:
    """Take or renew the lease inside the caller's transaction; False while another holds it."""
    row = work.execute(select(leases.c.holder, leases.c.until).where(leases.c.name == name)).first()
    if row is None:
        work.execute(insert(leases).values(name=name, holder=holder, until=work.now + span))
        return True
    if row.holder != holder and row.until > work.now:
        return False
    work.execute(update(leases).where(leases.c.name == name).values(holder=holder, until=work.now + span))
    return True


def release(work: Work, name: str, holder: str) -> None:
    """Give the lease up, if `holder` has it."""
    work.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
