"""What every table engine guarantees.

- A table is a row of versions. `replace` and `append` make a new version from a stream of record
  batches, holding a bounded number of rows in memory; a reader sees the whole new version or none
  of it, also under `kill -9` or on a full disk.
- A version's files never change. Each is named by its sha-256, so that equal rows written again
  take no more room, and a version is read from its file list without asking the table.
- Rows come back in the order in which they were written. Reading checks every file against its
  sha-256; other bytes raise Corrupt and are never returned.
- Nothing is deleted but by `prune`: neither files nor the table's log expire.
- Writers to one table take turns, across threads and processes; different tables do not wait.

A table's name is one or more parts joined by "/", each of letters, digits, "_", "-" and ".".
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainspring.kernel.errors import InvalidInput

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class DataFile:
    """One immutable file of a table; `path` is relative to the table."""

    path: str
    size_bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class TableVersion:
    """A version and its files in row order. `added` are those that this write brought."""

    version: int
    files: tuple[DataFile, ...]
    added: tuple[DataFile, ...] = ()

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


class Tables(ABC):
    """A store of versioned tables. See the module for what implementations guarantee."""

    @abstractmethod
    def replace(self, table: str, batches: pa.RecordBatchReader, *, commit_info: Mapping[str, Any]) -> TableVersion:
        """Make a version that holds exactly these rows; the table is created where there is none.

        `commit_info` (JSON values) is kept in the table's log. Where the rows equal the newest
        version's no new version is made. Raises InvalidInput for columns a table cannot hold,
        EngineUnavailable, naming the place, where it cannot be written.
        """

    @abstractmethod
    def append(self, table: str, batches: pa.RecordBatchReader, *, commit_info: Mapping[str, Any]) -> TableVersion:
        """Make a version that holds the newest one's rows, then these. Errors as for `replace`;
        SchemaMismatch where the columns differ from the table's. No rows make no version."""

    @abstractmethod
    def files(self, table: str, version: int | None = None) -> tuple[DataFile, ...]:
        """The files of a version (default: the newest) in row order. Raises NotFound."""

    @abstractmethod
    def read(
        self, table: str, files: Sequence[DataFile], columns: Sequence[str] | None = None, *, verify: bool = True
    ) -> pa.Table:
        """The rows of `files`, in their order. No files give the newest version's columns and no rows.

        Raises NotFound for a missing table or column, Corrupt for a missing or changed file.
        """

    @abstractmethod
    def batches(
        self, table: str, files: Sequence[DataFile], columns: Sequence[str] | None = None, *, verify: bool = True
    ) -> pa.RecordBatchReader:
        """As `read`, in pieces; one file is checked at a time, before its first row is given out."""

    @abstractmethod
    def paths(self, table: str, files: Sequence[DataFile]) -> list[Path]:
        """Local Parquet files with the rows, in the order given, not checked. Raises Corrupt where one is missing."""

    @abstractmethod
    def prune(self, table: str, keep: Sequence[DataFile], *, older_than: timedelta = timedelta(hours=1)) -> int:
        """Delete files which are neither in `keep` nor in the newest version; the bytes freed.

        Files younger than `older_than` stay: a writer may be about to name them.
        """

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Kind and location, for `doctor`."""


def checked_table(name: str) -> str:
    """`name` if it has a table's form: names become folders and are never used as paths otherwise."""
    parts = name.split("/")
    if len(name) <= 512 and all(_PART.fullmatch(part) and ".." not in part for part in parts):
        return name
    raise InvalidInput(
        "table name", wanted='parts of letters, digits, "_", "-" and ".", joined by "/"', found=repr(name[:80])
    )


def storable(schema: pa.Schema) -> pa.Schema:
    """`schema` in the types tables keep: plain strings, no dictionaries, microseconds in UTC, no metadata.

    Raises InvalidInput for names that repeat, also where they differ in case only: other readers of
    the table do not tell those apart.
    """
    seen: dict[str, str] = {}
    for name in schema.names:
        if (before := seen.setdefault(name.lower(), name)) is not name or not name:
            raise InvalidInput(
                "columns", wanted="names that differ in more than case", found=f"{before!r} and {name!r}"
            )
    return pa.schema([pa.field(field.name, _storable_type(field.type), nullable=True) for field in schema])


def _storable_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _storable_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(pa.field("element", _storable_type(kind.value_type)))
    if pa.types.is_unsigned_integer(kind) or pa.types.is_float16(kind):
        return pa.float32() if pa.types.is_float16(kind) else pa.int64()
    return pa.string() if pa.types.is_null(kind) else kind
