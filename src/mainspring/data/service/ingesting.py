"""Applying definitions and ingesting sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mainspring.data import definitions, permissions, store
from mainspring.data.definitions import Dataset
from mainspring.data.events import DatasetApplied, IngestRefused, SourceRecognized, VersionIngested
from mainspring.data.model import (
    Attempt,
    Change,
    Counts,
    DatasetId,
    DatasetRecord,
    Ingested,
    Manifest,
    Source,
    Version,
    changed_fields,
)
from mainspring.data.service.looking import DataLooking
from mainspring.data.work.ingest import Outcome, read_into_tables
from mainspring.engines.blobs.contract import Blob, checked_name, sha256_of
from mainspring.engines.sql.contract import Work
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import Corrupt, InvalidInput, NotFound
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, use_case


class DataService(DataLooking):
    """Every use case of data."""

    @use_case(permissions.READ)
    def plan(self, principal: Principal, given: Sequence[Mapping[str, Any]]) -> list[Change]:
        """What applying these definitions (canonical JSON) would change; nothing is."""
        with self._engines.sql.read() as connection:
            return [
                _change(made, store.dataset(connection, principal.project, made.name)) for made in _definitions(given)
            ]

    @use_case(permissions.APPLY)
    def apply(
        self, principal: Principal, given: Sequence[Mapping[str, Any]], *, folder: str | None = None
    ) -> list[Change]:
        """Make the definitions the current ones, all or none; earlier revisions are kept. Repeating it changes nothing.

        folder  what their sources are relative to, on the machine that ingests.
        """
        wanted = list(_definitions(given))
        with self._engines.sql.write(principal) as work:
            return [self._apply(work, made, folder) for made in wanted]

    def _apply(self, work: Work, made: Dataset, folder: str | None) -> Change:
        before = store.dataset(work.connection, work.principal.project, made.name)
        change = _change(made, before)
        if before is not None and change.action == "none":
            if before.folder != folder:
                store.move(work, before.id, folder)
            return change
        id = before.id if before else DatasetId(new_id())
        revision = before.revision + 1 if before else 1
        if before is None:
            store.add_dataset(work, id, made.name)
        store.add_definition(work, id, revision, digest=made.digest, body=made.to_json(), folder=folder)
        work.emit(DatasetApplied(dataset_id=id, definition_id=made.digest, name=made.name, revision=revision))
        return change

    @use_case(permissions.READ)
    def has_upload(self, principal: Principal, digest: str) -> bool:
        """Whether these bytes were uploaded to the project, and need not be sent again."""
        with self._engines.sql.read() as connection:
            known = store.has_upload(connection, principal.project, checked_name(digest))
        return known and self._engines.blobs.has(digest)

    @use_case(permissions.INGEST)
    def upload(self, principal: Principal, body: Path, *, expected: str) -> Blob:
        """Keep a source's bytes: what a version was read from can be read again. Raises Corrupt on other bytes."""
        blob = self._engines.blobs.put(body, expected=checked_name(expected))
        with self._engines.sql.write(principal) as work:
            store.add_upload(work, blob.digest, blob.size_bytes)
        return blob

    @use_case(permissions.INGEST)
    def ingest(self, principal: Principal, name: str, *, fingerprint: str, source_name: str) -> Ingested:
        """Read uploaded bytes into a version of the dataset, by its current definition.

        The same bytes under the same definition give the version they gave before and add nothing.
        Raises InvalidInput where they cannot be read or too many rows are bad: the attempt, and
        what was set apart, can still be looked at.
        """
        record = self._record(principal, name)
        made = definitions.from_json(record.definition)
        source_name = Path(source_name).name or name
        with self._engines.sql.read() as connection:
            known = store.known_reading(connection, record.id, fingerprint, made.reading_digest)
            newest = store.version_numbered(connection, record.id, None)
        if known is not None:
            return self._as_before(known)
        path = self._source(principal, fingerprint, source_name)
        source = Source(source_name, fingerprint, path.stat().st_size, "")
        attempt = new_id()
        outcome = read_into_tables(
            made,
            path,
            subject=source_name,
            previous=self._columns(newest) if newest else (),
            places=self._places(principal.project, name),
            attempt=attempt,
        )
        if outcome.refusal is not None:
            self._refuse(principal, record, source, attempt, outcome)
            raise outcome.refusal
        return self._commit(principal, record, made, source, attempt, outcome)

    def _commit(
        self, principal: Principal, record: DatasetRecord, made: Dataset, source: Source, attempt: str, outcome: Outcome
    ) -> Ingested:
        """The one transaction that makes a version visible."""
        manifest = self._manifest(principal.project, record, source, attempt, outcome)
        kept = self._engines.blobs.put(manifest.to_bytes())
        with self._engines.sql.write(principal) as work:
            first = store.known_reading(work.connection, record.id, source.fingerprint, made.reading_digest)
            if first is not None:
                # Another process read the same bytes meanwhile; its version stands.
                return self._as_before(first)
            version = store.version_of(work.connection, record.id, manifest.id)
            if version is None:
                version = self._add_version(work, record, manifest, kept.digest)
                added = version.rows
            else:
                added = 0
                work.emit(
                    SourceRecognized(
                        dataset_version_id=version.id,
                        dataset_id=record.id,
                        source_id=source.fingerprint,
                        dataset=record.name,
                        source_name=source.name,
                    )
                )
            store.add_reading(work, record.id, source.fingerprint, made.reading_digest, version.id)
            told = _attempt(work, record, source, attempt, outcome, version, "ingested" if added else "known")
            store.add_attempt(work, record.id, told)
        return Ingested(version, added, outcome.counts, attempt)

    def _add_version(self, work: Work, record: DatasetRecord, manifest: Manifest, manifest_digest: str) -> Version:
        newest = store.version_numbered(work.connection, record.id, None)
        version = Version(
            manifest.id,
            record.name,
            newest.number + 1 if newest else 1,
            manifest.rows,
            work.now,
            manifest_digest,
            manifest.source.name,
            manifest.source.fingerprint,
            manifest.counts.quarantined,
        )
        store.add_version(work, record.id, version)
        work.emit(
            VersionIngested(
                dataset_version_id=version.id,
                dataset_id=record.id,
                source_id=manifest.source.fingerprint,
                parent_ids=tuple(manifest.parents),
                definition_id=manifest.definition_digest,
                manifest_digest=manifest_digest,
                dataset=record.name,
                number=version.number,
                rows=version.rows,
                quarantined=version.quarantined,
                source_name=manifest.source.name,
            )
        )
        return version

    def _refuse(
        self, principal: Principal, record: DatasetRecord, source: Source, attempt: str, outcome: Outcome
    ) -> None:
        with self._engines.sql.write(principal) as work:
            told = _attempt(work, record, source, attempt, outcome, None, "refused")
            store.add_attempt(work, record.id, told)
            work.emit(
                IngestRefused(
                    attempt_id=attempt,
                    dataset_id=record.id,
                    source_id=source.fingerprint,
                    dataset=record.name,
                    source_name=source.name,
                    read=outcome.counts.read,
                    quarantined=outcome.counts.quarantined,
                    error=told.error,
                )
            )

    def _source(self, principal: Principal, fingerprint: str, source_name: str) -> Path:
        """The uploaded bytes as a file, checked against their fingerprint."""
        with self._engines.sql.read() as connection:
            known = store.has_upload(connection, principal.project, checked_name(fingerprint))
        path = self._engines.blobs.path(fingerprint) if known else None
        if path is None:
            raise NotFound(
                f"source {source_name}",
                wanted=f"uploaded bytes with sha-256 {fingerprint}",
                found="none in this project",
            )
        if (found := sha256_of(path)) != fingerprint:
            raise Corrupt(f"source {source_name}", wanted=f"bytes with sha-256 {fingerprint}", found=f"sha-256 {found}")
        return path

    def _as_before(self, version: Version) -> Ingested:
        manifest = self._read_manifest(version)
        return Ingested(version, 0, Counts(**manifest["counts"]), manifest["attempt"])

    def _manifest(
        self, project: str, record: DatasetRecord, source: Source, attempt: str, outcome: Outcome
    ) -> Manifest:
        if outcome.id is None:
            raise Corrupt(f"ingest of {source.name}", wanted="rows or a refusal", found="neither")
        return Manifest(
            id=outcome.id,
            dataset=record.name,
            columns=outcome.columns,
            rows=outcome.counts.good,
            files=outcome.files,
            table=self._places(project, record.name).table,
            table_version=outcome.table_version,
            parents=(),
            source=Source(source.name, source.fingerprint, source.size_bytes, outcome.format),
            definition_digest=record.definition_digest,
            attempt=attempt,
            counts=outcome.counts,
            checks=outcome.checks,
            profile=outcome.profile,
        )


def _definitions(given: Sequence[Mapping[str, Any]]) -> Iterator[Dataset]:
    seen: set[str] = set()
    for fields in given:
        made = definitions.from_json(fields)
        if made.name in seen:
            raise InvalidInput(f"dataset {made.name}", wanted="one definition", found="two", fix="Rename one of them.")
        seen.add(made.name)
        yield made


def _change(made: Dataset, before: DatasetRecord | None) -> Change:
    if before is None:
        return Change("dataset", made.name, "create")
    fields = changed_fields(before.definition, plain(made.to_json()))
    return Change("dataset", made.name, "change" if fields else "none", fields)


def _attempt(
    work: Work,
    record: DatasetRecord,
    source: Source,
    id: str,
    outcome: Outcome,
    version: Version | None,
    came_to: Literal["ingested", "known", "refused"],
) -> Attempt:
    return Attempt(
        id,
        record.name,
        came_to,
        version.id if version else None,
        source.name,
        source.fingerprint,
        outcome.counts,
        outcome.reasons,
        outcome.quarantine_files,
        outcome.refusal.message if outcome.refusal else "",
        work.now,
    )
