"""Reading the chain as it is stored, and the file of signed heads beside the database."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, select

from mainspring.audit.model import Head, Link
from mainspring.engines.ledger.events import chains, events, payloads
from mainspring.engines.sql.contract import Work
from mainspring.kernel.canonical import canonical
from mainspring.kernel.errors import Corrupt, EngineUnavailable

_PAGE = 2000


def projects(connection: Connection) -> list[str]:
    return list(connection.execute(select(chains.c.project).order_by(chains.c.project)).scalars())


def links(connection: Connection, project: str) -> Iterator[Link]:
    """Every link of a chain, oldest first, a page at a time."""
    query = select(events, payloads.c.payload, payloads.c.salt).outerjoin(payloads, payloads.c.event_id == events.c.id)
    query = query.where(events.c.project == project).order_by(events.c.seq).limit(_PAGE)
    after = -1
    while rows := connection.execute(query.where(events.c.seq > after)).all():
        for row in rows:
            yield Link(**row._mapping)
        after = rows[-1].seq


def erased_ids(connection: Connection, project: str) -> frozenset[str]:
    """Events whose payload an erasure event says is gone."""
    query = select(events.c.subjects).where(events.c.project == project, events.c.kind == "audit.payload.erased")
    return frozenset(subjects["erased_event_id"] for subjects in connection.execute(query).scalars())


def has_payload(connection: Connection, project: str, event_id: str) -> bool | None:
    """Whether the event still has its payload; None where there is no such event."""
    query = select(payloads.c.event_id).select_from(events.outerjoin(payloads)).where(events.c.id == event_id)
    row = connection.execute(query.where(events.c.project == project)).first()
    return None if row is None else row[0] is not None


def erase_payload(work: Work, event_id: str) -> None:
    work.execute(delete(payloads).where(payloads.c.event_id == event_id))


def append_heads(file: Path, heads: list[Head]) -> None:
    """Add signed heads to the file, whole lines only, and see them to the disk.

    A line torn by an earlier crash is cut off first. Raises EngineUnavailable where there is no
    room, leaving the file as it was.
    """
    lines = b"".join(canonical(head) + b"\n" for head in heads)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        whole = _whole_lines_end(descriptor)
        os.ftruncate(descriptor, whole)
        try:
            if os.pwrite(descriptor, lines, whole) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, whole)
            found = error.strerror or str(error)
            raise EngineUnavailable(f"heads file {file}", wanted="room to write", found=found) from error
    finally:
        os.close(descriptor)


def _whole_lines_end(descriptor: int) -> int:
    """The offset after the last line break; heads are short, so the end of the file holds it."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - 4096)
    return start + os.pread(descriptor, size - start, start).rfind(b"\n") + 1


def read_heads(file: Path) -> list[Head]:
    """Every head in the file. A torn last line (the machine stopped while writing) is passed over."""
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    heads = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            fields = json.loads(line)
            heads.append(Head(**{**fields, "signed_at": datetime.fromisoformat(fields["signed_at"])}))
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                break
            raise Corrupt(
                f"heads file {file}", wanted="a signed head a line", found=f"something else in line {number}"
            ) from error
    return heads
