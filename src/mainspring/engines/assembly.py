"""Opening the engines of a home, each by its setting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.engines.home import Home
from mainspring.engines.settings import EngineSettings
from mainspring.kernel import plugins
from mainspring.kernel.clocks import Clocks

if TYPE_CHECKING:
    from mainspring.engines.blobs.contract import Blobs
    from mainspring.engines.compute.contract import Compute
    from mainspring.engines.query.contract import Query
    from mainspring.engines.sql.contract import Database
    from mainspring.engines.tables.contract import Tables


@dataclass(frozen=True)
class Engines:
    """What every service stands on. Tables, query and compute open on first use: they are heavy."""

    home: Home
    settings: EngineSettings
    clocks: Clocks
    sql: Database
    blobs: Blobs
    _tables: _Lazy
    _query: _Lazy
    _compute: _Lazy

    @property
    def tables(self) -> Tables:
        engine: Tables = self._tables.get()
        return engine

    @property
    def query(self) -> Query:
        engine: Query = self._query.get()
        return engine

    def compute(self) -> Compute:
        """The pool that steps and jobs run in; started when first asked for."""
        engine: Compute = self._compute.get()
        return engine

    def close(self) -> None:
        """Stop the pool, if it was started, and let go of the database."""
        self._compute.close()
        self.sql.close()


class _Lazy:
    """A value made once, by whichever thread asks first."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make, self._value, self._lock = make, None, threading.Lock()

    def get(self) -> Any:
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value

    def close(self) -> None:
        with self._lock:
            if self._value is not None:
                self._value.close()
                self._value = None


def assemble(home: Home, settings: EngineSettings, clocks: Clocks | None = None) -> Engines:
    """Open the engines of `home`. The database's schema is not touched: see `Database.upgrade`."""
    clocks = clocks or Clocks()

    def opened(role: str, **options: Any) -> Any:
        return plugins.load(f"mainspring.engines.{role}", getattr(settings, role)).open_engine(home.root, **options)

    return Engines(
        home=home,
        settings=settings,
        clocks=clocks,
        sql=opened("sql", clock=clocks.wall, durability=settings.durability),
        blobs=opened("blobs", durability=settings.durability),
        _tables=_Lazy(lambda: opened("tables")),
        _query=_Lazy(lambda: opened("query")),
        _compute=_Lazy(lambda: opened("compute")),
    )
