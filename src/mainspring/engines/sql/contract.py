"""What every metadata database guarantees.

- `write` is one transaction: all of it or none of it, also under `kill -9`; what `write` returned
  from is there after the process dies. Writers to one database take turns (SQLite) or take turns
  per project (PostgreSQL); a waiting writer gives up with TimedOut, never with a half-made change.
- `read` sees one consistent state, waits for no writer and writes nothing.
- Events appended in a `write` get the next `seq` of their project's chain without a gap; two
  writers cannot fork a chain.
- A vendor's exception never leaves: EngineUnavailable (locked, full, gone), AlreadyExists (unique
  constraint), Corrupt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable

from mainspring.engines.ledger import events as event_log
from mainspring.kernel.clocks import Clock
from mainspring.kernel.events import Event, LoggedEvent
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal


class Work:
    """One writing unit of work: statements and the events which tell of them, committed together."""

    def __init__(self, connection: Connection, principal: Principal, clock: Clock) -> None:
        self.connection = connection
        self.principal = principal
        self.now = clock.now()
        self.emitted: list[LoggedEvent] = []

    def execute(
        self, statement: Executable, values: Sequence[dict[str, Any]] | dict[str, Any] | None = None
    ) -> CursorResult[Any]:
        return self.connection.execute(statement, values)

    def emit(self, event: Event, *, project: str | None = None) -> LoggedEvent:
        """Append `event` to the chain of `project` (the principal's own by default)."""
        logged = event_log.append(
            self.connection,
            event,
            project=project or self.principal.project,
            principal_id=self.principal.id,
            time=self.now,
            id=new_id(),
        )
        self.emitted.append(logged)
        return logged


class Database(ABC):
    """A metadata database. See the module for what implementations guarantee."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Connection]:
        """A connection that sees one state and must not write."""

    @abstractmethod
    def write(self, principal: Principal) -> AbstractContextManager[Work]:
        """A unit of work for `principal`; commits on leaving, rolls back on any exception."""

    @abstractmethod
    def upgrade(self, migrations: str) -> None:
        """Bring the schema to the newest revision in the Alembic folder `migrations`.

        Raises Conflict where the database is newer than the code: nothing is touched.
        """

    @abstractmethod
    def is_current(self, migrations: str) -> bool:
        """Whether the schema is at the newest revision. Raises Conflict where it is newer than that."""

    @abstractmethod
    def scrub(self) -> None:
        """Leave nothing of deleted rows in the database's files. Call after the deletion committed."""

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Kind, location without secrets, and durability in words, for `doctor`."""

    @abstractmethod
    def close(self) -> None: ...
