"""Tables as Delta Lake folders in the home, readable by Spark, DuckDB, polars and all who know the format.

We write the Parquet files and have `deltalake` commit them: its own writer keeps neither the order
of rows nor the names of files, and both are part of our contract.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from mainspring.engines.tables import _parts
from mainspring.engines.tables.contract import DataFile, Tables, TableVersion, checked_table, storable
from mainspring.kernel.errors import Corrupt, EngineUnavailable, InvalidInput, MainspringError, NotFound, SchemaMismatch

_FILES = "mainspring.files"
"""Where a commit says which files the version has, in row order: Delta keeps a set."""
_CONFIGURATION: Mapping[str, str | None] = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


def open_engine(home: Path, *, durability: str = "process") -> Tables:
    return DeltaTables(home / "tables", fsync=durability == "power")


class DeltaTables(Tables):
    def __init__(self, root: Path, *, fsync: bool = False) -> None:
        self._root, self._fsync = root, fsync

    def replace(self, table: str, batches: pa.RecordBatchReader, *, commit_info: Mapping[str, Any]) -> TableVersion:
        return self._write(table, batches, commit_info, keep=False)

    def append(self, table: str, batches: pa.RecordBatchReader, *, commit_info: Mapping[str, Any]) -> TableVersion:
        return self._write(table, batches, commit_info, keep=True)

    def _write(
        self, table: str, batches: pa.RecordBatchReader, commit_info: Mapping[str, Any], *, keep: bool
    ) -> TableVersion:
        folder = self._folder(table)
        schema = storable(batches.schema)
        with _explained(folder), _turn(folder):
            delta = _opened(folder)
            before = _listed(folder, delta.version()) if delta else ()
            if delta and keep:
                _require_same(table, _arrow_schema(delta), schema)
            kept = before if keep else ()
            written = _parts.write_parts(folder, batches, schema, {file.path for file in kept}, fsync=self._fsync)
            added = tuple(file for file, _ in written)
            after = kept + added
            same_schema = delta is not None and _arrow_schema(delta).equals(schema)
            if delta is not None and after == before and same_schema:
                return TableVersion(delta.version(), before)
            try:
                delta = delta or _created(folder, schema)
                _commit(delta, schema, before, after, commit_info, same_schema=same_schema)
            except BaseException:
                for file, is_new in written:
                    if is_new:
                        (folder / file.path).unlink(missing_ok=True)
                raise
            return TableVersion(DeltaTable(folder).version(), after, added)

    def files(self, table: str, version: int | None = None) -> tuple[DataFile, ...]:
        folder = self._folder(table)
        delta = _opened(folder, version)
        if delta is None:
            raise NotFound(f"table {table}", wanted="a table with that version", found="none")
        return _listed(folder, delta.version())

    def read(
        self, table: str, files: Sequence[DataFile], columns: Sequence[str] | None = None, *, verify: bool = True
    ) -> pa.Table:
        return self.batches(table, files, columns, verify=verify).read_all()

    def batches(
        self, table: str, files: Sequence[DataFile], columns: Sequence[str] | None = None, *, verify: bool = True
    ) -> pa.RecordBatchReader:
        folder = self._folder(table)
        schema = self._schema(table, files)
        if columns is not None:
            schema = pa.schema([_field(table, schema, name) for name in columns])
        names = None if columns is None else list(columns)

        def rows() -> Iterator[pa.RecordBatch]:
            for file in files:
                yield from _parts.read_part(folder, file, names, verify=verify).to_batches()

        return pa.RecordBatchReader.from_batches(schema, rows())

    def _schema(self, table: str, files: Sequence[DataFile]) -> pa.Schema:
        folder = self._folder(table)
        if files:
            return _parts.read_schema(folder, files[0])
        delta = _opened(folder)
        if delta is None:
            raise NotFound(f"table {table}", wanted="a table", found="none of that name")
        return _arrow_schema(delta)

    def paths(self, table: str, files: Sequence[DataFile]) -> list[Path]:
        folder = self._folder(table)
        for file in files:
            if not (folder / file.path).is_file():
                raise _parts.missing(folder, file)
        return [folder / file.path for file in files]

    def prune(self, table: str, keep: Sequence[DataFile], *, older_than: timedelta = timedelta(hours=1)) -> int:
        folder = self._folder(table)
        if not folder.is_dir():
            return 0
        freed = 0
        with _explained(folder), _turn(folder):
            delta = _opened(folder)
            kept = {file.path for file in (*keep, *(_listed(folder, delta.version()) if delta else ()))}
            oldest = time.time() - older_than.total_seconds()
            for place in folder.glob("*.parquet"):
                stat = place.stat()
                if place.name not in kept and stat.st_mtime <= oldest:
                    place.unlink()
                    freed += stat.st_size
        return freed

    def describe(self) -> dict[str, str]:
        return {"kind": "Delta Lake", "location": str(self._root)}

    def _folder(self, table: str) -> Path:
        return self._root / checked_table(table)


def _opened(folder: Path, version: int | None = None) -> DeltaTable | None:
    try:
        return DeltaTable(folder, version=version)
    except TableNotFoundError:
        return None
    except DeltaError as error:
        if version is not None and "LogSegment end version" in str(error):
            return None
        raise _translated(folder, error) from error


def _created(folder: Path, schema: pa.Schema) -> DeltaTable:
    try:
        return DeltaTable.create(folder, schema, configuration=_CONFIGURATION)
    except (OSError, DeltaError):
        raise
    except Exception as error:
        # deltalake raises the bare class for types and names that Delta does not have.
        raise InvalidInput(f"table {folder.name}", wanted="columns that Delta can hold", found=str(error)) from error


def _commit(
    delta: DeltaTable,
    schema: pa.Schema,
    before: Sequence[DataFile],
    after: Sequence[DataFile],
    commit_info: Mapping[str, Any],
    *,
    same_schema: bool,
) -> None:
    """One Delta commit that leads from the files `before` to the files `after`.

    Files in both stay untouched: Delta forbids adding and removing one path in one commit. Only
    where the columns change everything is overwritten, which is what rewrites the schema; then no
    file can be in both.
    """
    now_ms = time.time_ns() // 1_000_000
    old, new = {file.path for file in before}, {file.path for file in after}
    actions: list[AddAction | RemoveAction] = [
        AddAction(file.path, file.size_bytes, {}, now_ms, True, json.dumps({"numRecords": file.rows}))
        for file in after
        if file.path not in old
    ]
    if same_schema:
        gone = [file for file in before if file.path not in new]
        actions += [RemoveAction(file.path, True, now_ms, size=file.size_bytes) for file in gone]
    listed = [[file.path, file.size_bytes, file.rows, file.sha256] for file in after]
    delta.create_write_transaction(
        actions,
        "append" if same_schema else "overwrite",
        schema,
        commit_properties=CommitProperties({**commit_info, _FILES: listed}),
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )


def _listed(folder: Path, version: int) -> tuple[DataFile, ...]:
    """The version's files as its own commit lists them; none right after a table was created.

    Read from the log's file, because `DeltaTable.history` begins at the newest version whichever is open.
    """
    with (folder / "_delta_log" / f"{version:020d}.json").open() as log:
        listed = json.loads(log.readline())["commitInfo"].get(_FILES, [])
    return tuple(DataFile(str(path), int(size), int(rows), str(sha256)) for path, size, rows, sha256 in listed)


def _arrow_schema(delta: DeltaTable) -> pa.Schema:
    return storable(pa.schema(delta.schema().to_arrow()))


def _require_same(table: str, held: pa.Schema, given: pa.Schema) -> None:
    if not held.equals(given):
        raise SchemaMismatch(f"table {table}", wanted=_in_words(held), found=_in_words(given))


def _in_words(schema: pa.Schema) -> str:
    return "columns " + ", ".join(f"{field.name} ({field.type})" for field in schema)


def _field(table: str, schema: pa.Schema, name: str) -> pa.Field:
    index = schema.get_field_index(name)
    if index < 0:
        raise NotFound(
            f"column {name!r} of table {table}", wanted="one of " + ", ".join(schema.names), found=repr(name)
        )
    return schema.field(index)


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Hold the table's lock, and clear away what a killed writer left half written."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "_lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(f"{_parts.INCOMING}*"):
            left.unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except MainspringError:
        raise
    except (OSError, DeltaError) as error:
        raise _translated(folder, error) from error


def _translated(folder: Path, error: Exception) -> MainspringError:
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if number is not None or "os error" in text.lower():
        is_full = number in (errno.ENOSPC, errno.EDQUOT) or "no space left" in text.lower()
        return EngineUnavailable(
            f"table folder {folder}",
            wanted="room and permission to write",
            found="no space left on device" if is_full else text,
            fix="Free some space and try again; nothing was changed." if is_full else "",
        )
    return Corrupt(f"table folder {folder}", wanted="a readable Delta table", found=text)
