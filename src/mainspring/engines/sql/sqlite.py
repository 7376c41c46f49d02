"""The embedded database: SQLite in WAL mode, one file in the home.

The driver runs in autocommit, so that `BEGIN IMMEDIATE` really is the first statement of every
unit of work and no read is ever upgraded to a write (which SQLite answers with a deadlock error).
Durability "process" (synchronous=NORMAL) survives the death of any process; "power"
(synchronous=FULL) survives the loss of power as well and costs one fsync a commit.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import QueuePool

from mainspring.engines.sql import _migration
from mainspring.engines.sql.contract import Database, Work
from mainspring.kernel.clocks import Clock, WallClock
from mainspring.kernel.errors import AlreadyExists, Corrupt, EngineUnavailable, MainspringError, TimedOut
from mainspring.kernel.principals import Principal

Durability = Literal["process", "power"]
_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}


def open_engine(
    home: Path, *, clock: Clock | None = None, durability: Durability = "process", wait_s: float = 30.0
) -> Database:
    return SqliteDatabase(home / "mainspring.db", clock or WallClock(), durability, wait_s)


class SqliteDatabase(Database):
    def __init__(self, path: Path, clock: Clock, durability: Durability, wait_s: float) -> None:
        self.path, self._clock, self._durability, self._wait_s = path, clock, durability, wait_s
        self._engine = self._connectable()

    def _connectable(self) -> Engine:
        engine = create_engine(
            f"sqlite:///{self.path}",
            connect_args={"timeout": self._wait_s, "isolation_level": None, "check_same_thread": False},
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=32,
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={_SYNCHRONOUS[self._durability]}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute("PRAGMA secure_delete=ON")
            cursor.execute("PRAGMA cache_size=-16000")
            cursor.close()

        return engine

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        with self._translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    @contextlib.contextmanager
    def write(self, principal: Principal) -> Iterator[Work]:
        with self._translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield Work(connection, principal, self._clock)
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                # A full disk may already have rolled the transaction back by itself.
                with contextlib.suppress(exc.DBAPIError):
                    connection.exec_driver_sql("ROLLBACK")
                raise

    def upgrade(self, migrations: str) -> None:
        with self._translated():
            _migration.upgrade(self._engine, migrations, str(self.path))

    def is_current(self, migrations: str) -> bool:
        with self._translated():
            return not _migration.missing(self._engine, migrations, str(self.path))

    def scrub(self) -> None:
        # Deleted cells were overwritten (secure_delete); what is left of them is in the log.
        with self._translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def describe(self) -> dict[str, str]:
        return {
            "kind": "sqlite",
            "location": str(self.path),
            "durability": f"{self._durability} (synchronous={_SYNCHRONOUS[self._durability]})",
        }

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except MainspringError:
            raise
        except exc.IntegrityError as error:
            raise AlreadyExists("row", wanted="a new one", found=_said(error), fix="Use another name.") from error
        except exc.DBAPIError as error:
            raise self._explained(error) from error
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> MainspringError:
        said = _said(error)
        subject = f"database {self.path}"
        if "locked" in said or "busy" in said:
            return TimedOut(
                subject, wanted=f"the write lock within {self._wait_s:g} s", found="another writer", fix="Retry."
            )
        if "malformed" in said or "not a database" in said:
            return Corrupt(subject, wanted="an intact file", found=said, fix="Restore it from a backup.")
        if "full" in said:
            return EngineUnavailable(
                subject, wanted="room to write", found="a full disk", fix="Free some space; nothing was changed."
            )
        return EngineUnavailable(subject, wanted="an answer", found=said, fix="See `mainspring doctor`.")


def _said(error: Exception) -> str:
    return str(getattr(error, "orig", error))
