"""Datasets, their versions, and what an attempt to ingest found. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NewType, get_args

from mainspring.kernel.canonical import canonical, digest
from mainspring.kernel.errors import InvalidInput

DatasetId = NewType("DatasetId", str)
VersionId = NewType("VersionId", str)

ColumnType = Literal["integer", "number", "boolean", "date", "timestamp", "text"]
"""64 bit signed; 64 bit float, finite; true or false; a day; microseconds in UTC; UTF-8."""
COLUMN_TYPES: tuple[ColumnType, ...] = get_args(ColumnType)

Family = Literal["integer", "number", "boolean", "date", "timestamp", "text", "numeric", "temporal"]
"""What a check or a time needs of a column: one type, or either of two."""
MEMBERS: Mapping[Family, tuple[ColumnType, ...]] = {
    **{name: (name,) for name in COLUMN_TYPES},
    "numeric": ("integer", "number"),
    "temporal": ("date", "timestamp"),
}
"""The types of a family, narrowest first."""

EVENT_TIME = "event_time"
"""The column that a dataset's `time` becomes."""

_SPELLINGS: Mapping[str, ColumnType] = {
    **{name: name for name in COLUMN_TYPES},
    **dict.fromkeys(("bigint", "int", "int64"), "integer"),
    **dict.fromkeys(("double", "float", "float64"), "number"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("datetime",), "timestamp"),
    **dict.fromkeys(("varchar", "string", "str"), "text"),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType


@dataclass(frozen=True)
class Source:
    """What was read: the file's own name, the sha-256 and size of its bytes, and its format."""

    name: str
    fingerprint: str
    size_bytes: int
    format: str


@dataclass(frozen=True)
class FileEntry:
    """One file of a version; `path` is relative to the version's table."""

    path: str
    size_bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class Counts:
    """Rows of an attempt: `read` = `good` + `quarantined`. Lines with nothing in them are `blank`."""

    read: int = 0
    good: int = 0
    quarantined: int = 0
    blank: int = 0


@dataclass(frozen=True)
class CheckResult:
    """What one rule found: how many rows fail it, and the first few of them with line and values."""

    rule: str
    outcome: Literal["pass", "fail"]
    failing: int
    found: str = ""
    samples: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Manifest:
    """Everything that makes a version: its rows can be read, checked and traced from this alone.

    table, table_version  where the rows are; `files` in row order are what is read.
    parents               ids of the versions it was derived from.
    definition_digest     the dataset's definition by which the source was read.
    attempt               under which the quarantined rows stand.
    profile               per column: nulls, distinct, min, max and, by type, mean, std or top.
    """

    id: VersionId
    dataset: str
    columns: tuple[Column, ...]
    rows: int
    files: tuple[FileEntry, ...]
    table: str
    table_version: int
    parents: tuple[VersionId, ...]
    source: Source
    definition_digest: str
    attempt: str
    counts: Counts
    checks: tuple[CheckResult, ...]
    profile: Mapping[str, Mapping[str, Any]]
    format: int = 1

    def to_bytes(self) -> bytes:
        return canonical(self)


@dataclass(frozen=True)
class Version:
    """A version as people list it: `number` counts up within its dataset, `id` is its content's digest."""

    id: VersionId
    dataset: str
    number: int
    rows: int
    created_at: datetime
    manifest_digest: str
    source_name: str
    source_fingerprint: str
    quarantined: int

    @property
    def reference(self) -> str:
        return f"{self.dataset}@{self.number}"


@dataclass(frozen=True)
class DatasetRecord:
    """A dataset as applied: its current definition, and the folder its source is relative to.

    latest_version  the newest version's number; None before the first.
    """

    id: DatasetId
    name: str
    revision: int
    definition: Mapping[str, Any]
    definition_digest: str
    folder: str | None
    applied_at: datetime
    latest_version: int | None


@dataclass(frozen=True)
class Attempt:
    """One ingest, whatever came of it.

    outcome   ingested   a new version
              known      the very rows of a version that exists, from other bytes; nothing added
              refused    too many bad rows, or a file that cannot be read; no version
    """

    id: str
    dataset: str
    outcome: Literal["ingested", "known", "refused"]
    version_id: VersionId | None
    source_name: str
    source_fingerprint: str
    counts: Counts
    reasons: tuple[tuple[str, int], ...]
    quarantine_files: tuple[FileEntry, ...]
    error: str
    at: datetime


@dataclass(frozen=True)
class Ingested:
    """What a caller is told: the version, how many rows it added, and how reading went."""

    version: Version
    added: int
    counts: Counts
    attempt: str


@dataclass(frozen=True)
class LocatedFile:
    """A version's file, and where it lies on the server's own disk, if it does."""

    path: str
    size_bytes: int
    rows: int
    sha256: str
    local: str | None


@dataclass(frozen=True)
class Change:
    """What applying a definition does to what is there."""

    kind: Literal["dataset"]
    name: str
    action: Literal["create", "change", "none"]
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Changed field to its value before and after."""


def checked_dataset_name(name: str) -> str:
    if _NAME.fullmatch(name) and ".." not in name:
        return name
    raise InvalidInput(
        "dataset name",
        wanted='up to 64 letters, digits, "_", "-" and ".", a letter or digit first',
        found=repr(name[:80]),
    )


def column_type(given: str | type) -> ColumnType:
    """The type that `given` means: one of ours, an SQL or a Python type.

    >>> column_type(float), column_type("BIGINT"), column_type("text")
    ('number', 'integer', 'text')
    """
    text = given.__name__ if isinstance(given, type) else given
    found = _SPELLINGS.get(text.lower())
    if found is None:
        raise InvalidInput("column type", wanted="one of " + ", ".join(COLUMN_TYPES), found=repr(text))
    return found


def version_id(columns: tuple[Column, ...], rows: int, contents: list[list[str]]) -> VersionId:
    """The id of these columns holding rows of these digests (see `work.contents`), whatever file they came from."""
    schema = [[column.name, column.type] for column in columns]
    return VersionId(digest({"columns": schema, "rows": rows, "contents": contents}))


def split_reference(reference: str) -> tuple[str, str | None]:
    """`name@3`, `name@<id>` or `name` as name and what follows the @.

    >>> split_reference("bike_demand@3"), split_reference("bike_demand")
    (('bike_demand', '3'), ('bike_demand', None))
    """
    name, at, which = reference.partition("@")
    if at and not which:
        raise InvalidInput("version", wanted="name, name@number or name@id", found=repr(reference))
    return checked_dataset_name(name), which or None


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields whose values differ, with both values."""
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
