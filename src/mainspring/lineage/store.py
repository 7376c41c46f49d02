"""Reading the events that lineage is drawn from; it keeps no table of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mainspring.engines.ledger import events as ledger
from mainspring.engines.sql.contract import Database
from mainspring.kernel.events import LoggedEvent

Told = Callable[[str], list[LoggedEvent]]
"""The events of a project that name an id, oldest first."""


@contextmanager
def telling(sql: Database, project: str) -> Iterator[Told]:
    """One consistent state of a project's events, asked id by id."""
    with sql.read() as connection:
        yield lambda id: ledger.about(connection, project, id)
