"""Looking at datasets, their versions, rows and what was set apart."""

from __future__ import annotations

import itertools
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

from mainspring.data import permissions, store
from mainspring.data.model import Attempt, Column, DatasetRecord, LocatedFile, Version, split_reference
from mainspring.data.work.ingest import Places, data_files
from mainspring.engines.assembly import Engines
from mainspring.engines.tables.contract import DataFile
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import InvalidInput, NotFound
from mainspring.kernel.principals import Principal, use_case

MOST_ROWS = 1000


class DataLooking:
    """The half of `DataService` that changes nothing."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    @use_case(permissions.READ)
    def datasets(self, principal: Principal) -> list[DatasetRecord]:
        """The project's datasets by name."""
        with self._engines.sql.read() as connection:
            return store.all_datasets(connection, principal.project)

    @use_case(permissions.READ)
    def dataset(self, principal: Principal, name: str) -> DatasetRecord:
        return self._record(principal, name)

    @use_case(permissions.READ)
    def versions(self, principal: Principal, name: str, *, limit: int = MOST_ROWS) -> list[Version]:
        """The dataset's versions, newest first."""
        record = self._record(principal, name)
        with self._engines.sql.read() as connection:
            return store.versions_of(connection, record.id, limit)

    @use_case(permissions.READ)
    def version(self, principal: Principal, reference: str) -> Version:
        """The version that `name@3`, `name@<id or its beginning>`, `name` (the newest) or a whole id means."""
        return self._version(principal, reference)

    @use_case(permissions.READ)
    def resolve(self, principal: Principal, reference: str) -> str | None:
        """The id of the version that `reference` means, or None."""
        try:
            return self._version(principal, reference).id
        except (NotFound, InvalidInput):
            return None

    @use_case(permissions.READ)
    def manifest(self, principal: Principal, reference: str) -> dict[str, Any]:
        """The version's manifest: see `model.Manifest`."""
        return self._read_manifest(self._version(principal, reference))

    @use_case(permissions.READ)
    def files(self, principal: Principal, reference: str) -> list[LocatedFile]:
        """The version's files in row order."""
        table, files = self._table_of(principal, reference)
        paths = self._engines.tables.paths(table, files)
        return [
            LocatedFile(file.path, file.size_bytes, file.rows, file.sha256, str(path))
            for file, path in zip(files, paths, strict=True)
        ]

    @use_case(permissions.READ)
    def file(self, principal: Principal, reference: str, place: int) -> Path:
        """One of the version's files, by its place in row order."""
        table, files = self._table_of(principal, reference)
        if not 0 <= place < len(files):
            raise NotFound(f"file {place} of {reference}", wanted=f"0 to {len(files) - 1}", found=str(place))
        return self._engines.tables.paths(table, files[place : place + 1])[0]

    @use_case(permissions.READ)
    def rows(self, principal: Principal, reference: str, *, limit: int = 10, offset: int = 0) -> list[dict[str, Any]]:
        """Some rows of the version in JSON's types, in order; at most 1,000."""
        table, files = self._table_of(principal, reference)
        paths = self._engines.tables.paths(table, files)
        window = f"LIMIT {max(0, min(int(limit), MOST_ROWS))} OFFSET {max(0, int(offset))}"
        found = self._engines.query.table(f"SELECT * FROM rows {window}", {"rows": paths})
        return [{name: _shown(value) for name, value in row.items()} for row in found.to_pylist()]

    @use_case(permissions.READ)
    def attempts(self, principal: Principal, name: str, *, limit: int = 50) -> list[Attempt]:
        """What ingesting the dataset came to, newest first."""
        record = self._record(principal, name)
        with self._engines.sql.read() as connection:
            return store.attempts_of(connection, record.id, limit)

    @use_case(permissions.READ)
    def quarantine(self, principal: Principal, of: str, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """Rows that were set apart, with line, reasons, values and text.

        of  an attempt's id, a version's reference, or a dataset's name for its newest attempt.
        """
        attempt = self._attempt_of(principal, of)
        files = data_files(attempt.quarantine_files)
        if not files:
            return []
        table = self._places(principal.project, attempt.dataset).quarantine_table
        batches = self._engines.tables.batches(table, files, ["line", "reasons", "values", "text"])
        rows = (row for batch in batches for row in batch.to_pylist())
        end = max(0, offset) + max(0, min(limit, MOST_ROWS))
        return [
            {**row, "values": json.loads(row["values"]) if row["values"] else None}
            for row in itertools.islice(rows, max(0, offset), end)
        ]

    def _attempt_of(self, principal: Principal, of: str) -> Attempt:
        with self._engines.sql.read() as connection:
            if found := store.attempt(connection, principal.project, of):
                return found
            record = store.dataset(connection, principal.project, of)
            if record and (newest := store.attempts_of(connection, record.id, 1)):
                return newest[0]
        id = self._read_manifest(self._version(principal, of))["attempt"]
        with self._engines.sql.read() as connection:
            if found := store.attempt(connection, principal.project, id):
                return found
        raise NotFound(f"attempt {id}", wanted="the attempt that made the version", found="none")

    def _record(self, principal: Principal, name: str) -> DatasetRecord:
        with self._engines.sql.read() as connection:
            record = store.dataset(connection, principal.project, name)
            if record is not None:
                return record
            known = [other.name for other in store.all_datasets(connection, principal.project)]
        found = "the datasets " + ", ".join(known) if known else "no dataset in this project"
        raise NotFound(f"dataset {name}", wanted="one that was applied", found=found, fix="Run `mainspring apply`.")

    def _version(self, principal: Principal, reference: str) -> Version:
        if len(reference) == 64 and "@" not in reference:
            with self._engines.sql.read() as connection:
                if found := store.version_with_id(connection, principal.project, reference):
                    return found
        name, which = split_reference(reference)
        record = self._record(principal, name)
        with self._engines.sql.read() as connection:
            if which is None or (which.isdecimal() and len(which) < 10):
                found = store.version_numbered(connection, record.id, None if which is None else int(which))
            else:
                starting = store.versions_starting(connection, record.id, which)
                found = starting[0] if len(starting) == 1 else None
        if found is None:
            newest = f"the newest is {name}@{record.latest_version}" if record.latest_version else "none was ingested"
            fix = "" if record.latest_version else f"Run `mainspring data ingest {name}`."
            raise NotFound(f"dataset version {reference}", wanted="one version", found=newest, fix=fix)
        return found

    def _read_manifest(self, version: Version) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(self._engines.blobs.read(version.manifest_digest))
        return manifest

    def _columns(self, version: Version) -> tuple[Column, ...]:
        return tuple(Column(column["name"], column["type"]) for column in self._read_manifest(version)["columns"])

    def _table_of(self, principal: Principal, reference: str) -> tuple[str, list[DataFile]]:
        manifest = self._read_manifest(self._version(principal, reference))
        return manifest["table"], [DataFile(**file) for file in manifest["files"]]

    def _places(self, project: str, name: str) -> Places:
        return Places(
            self._engines.tables,
            self._engines.query,
            table=f"{project}/data/{name}",
            quarantine_table=f"{project}/quarantine/{name}",
            spool=self._engines.home.work,
        )


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else plain(value)
