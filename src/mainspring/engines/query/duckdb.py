"""Queries by DuckDB, in this process and in memory.

Locked down when it opens: no extension can be fetched or loaded, no file outside the home read,
nothing attached, and no setting changed afterwards. Each query has a connection of its own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from mainspring.engines.query.contract import Input, Query, identifier, literal
from mainspring.kernel.errors import Corrupt, EngineUnavailable, InvalidInput, MainspringError


def open_engine(home: Path, *, threads: int | None = None, memory_limit: str = "1GB") -> Query:
    return DuckDBQuery(home, threads=threads or min(4, os.cpu_count() or 1), memory_limit=memory_limit)


class DuckDBQuery(Query):
    def __init__(self, home: Path, *, threads: int, memory_limit: str) -> None:
        self._home = home.resolve()
        self._limits = {"threads": str(threads), "memory_limit": memory_limit}
        spill = self._home / "work" / "query"
        self._database = duckdb.connect(
            ":memory:",
            config={
                **self._limits,
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "temp_directory": str(spill),
            },
        )
        self._database.execute(
            # Globally: a connection's own settings do not reach the ones opened from it.
            "SET GLOBAL TimeZone = 'UTC';"
            "SET GLOBAL python_enable_replacements = false;"
            f"SET allowed_directories = [{literal(str(self._home))}];"
            "SET enable_external_access = false; SET lock_configuration = true"
        )

    @contextlib.contextmanager
    def stream(
        self, sql: str, inputs: Mapping[str, Input], *, batch_rows: int = 1 << 16
    ) -> Iterator[pa.RecordBatchReader]:
        raised: list[BaseException] = []
        connection = self._database.cursor()
        try:
            with _explained(raised):
                for name, rows in inputs.items():
                    _offer(connection, name, rows, raised)
                result = connection.sql(sql).to_arrow_reader(batch_rows)
            yield pa.RecordBatchReader.from_batches(result.schema, _passed_on(result, raised))
        finally:
            for name, rows in inputs.items():
                # Views live in the database all cursors share; readers are let go of with them.
                _withdraw(connection, name, rows)
            connection.close()

    def describe(self) -> dict[str, str]:
        return {"kind": f"DuckDB {duckdb.__version__}", **self._limits}


def _offer(connection: duckdb.DuckDBPyConnection, name: str, rows: Input, raised: list[BaseException]) -> None:
    if isinstance(rows, pa.Table):
        connection.register(name, rows)
    elif isinstance(rows, pa.RecordBatchReader):
        connection.register(name, pa.RecordBatchReader.from_batches(rows.schema, _watched(rows, raised)))
    else:
        paths = ", ".join(literal(str(path)) for path in rows)
        connection.execute(f"CREATE TEMP VIEW {identifier(name)} AS SELECT * FROM read_parquet([{paths}])")


def _withdraw(connection: duckdb.DuckDBPyConnection, name: str, rows: Input) -> None:
    with contextlib.suppress(duckdb.Error):
        if isinstance(rows, pa.Table | pa.RecordBatchReader):
            connection.unregister(name)


def _watched(rows: pa.RecordBatchReader, raised: list[BaseException]) -> Iterator[pa.RecordBatch]:
    try:
        yield from rows
    except BaseException as error:
        # DuckDB turns it into text; kept, so that the caller gets the error itself.
        raised.append(error)
        raise


def _passed_on(result: pa.RecordBatchReader, raised: list[BaseException]) -> Iterator[pa.RecordBatch]:
    with _explained(raised):
        yield from result


@contextlib.contextmanager
def _explained(raised: list[BaseException]) -> Iterator[None]:
    try:
        yield
    except MainspringError:
        raise
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if raised:
            raise raised[0] from None
        raise _translated(error) from error


def _translated(error: Exception) -> MainspringError:
    text = str(error)
    head = text.partition("\n")[0]
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in text or "No space left" in text:
        return EngineUnavailable(
            "query",
            wanted="enough memory and room to spill into",
            found=head,
            fix="Give it more memory or disk and try again.",
        )
    if isinstance(error, duckdb.IOException | OSError) or ".parquet'" in head:
        return Corrupt("query input", wanted="readable Parquet files", found=head)
    return InvalidInput("query", wanted="SQL that the engine can run", found=head)
