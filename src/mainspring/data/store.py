"""The tables of data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from mainspring.data.model import Attempt, Counts, DatasetId, DatasetRecord, FileEntry, Version, VersionId
from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata, project_column
from mainspring.engines.sql.contract import Work

datasets = Table(
    "data_datasets",
    metadata,
    id_column(),
    project_column(),
    Column("name", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("project", "name"),
)
definitions = Table(
    "data_definitions",
    metadata,
    Column("dataset_id", String(64), ForeignKey("data_datasets.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("body", Json, nullable=False),
    Column("folder", Text),
    Column("applied_at", Instant, nullable=False),
)
versions = Table(
    "data_versions",
    metadata,
    Column("dataset_id", String(64), ForeignKey("data_datasets.id"), primary_key=True),
    Column("id", String(64), primary_key=True, index=True),
    project_column(),
    Column("number", Integer, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("manifest_digest", String(64), nullable=False),
    Column("source_name", Text, nullable=False),
    Column("source_fingerprint", String(64), nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("dataset_id", "number"),
)
readings = Table(
    "data_readings",
    metadata,
    Column("dataset_id", String(64), ForeignKey("data_datasets.id"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("reading_digest", String(64), primary_key=True),
    Column("version_id", String(64), nullable=False),
)
"""Which bytes, read by which definition, gave which version: what makes a second ingest add nothing."""
attempts = Table(
    "data_attempts",
    metadata,
    id_column(),
    project_column(),
    Column("dataset_id", String(64), ForeignKey("data_datasets.id"), nullable=False, index=True),
    Column("outcome", String(16), nullable=False),
    Column("version_id", String(64)),
    Column("source_name", Text, nullable=False),
    Column("source_fingerprint", String(64), nullable=False),
    Column("counts", Json, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("quarantine_files", Json, nullable=False),
    Column("error", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
uploads = Table(
    "data_uploads",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("uploaded_at", Instant, nullable=False),
)


def dataset(connection: Connection, project: str, name: str) -> DatasetRecord | None:
    row = connection.execute(_datasets(project).where(datasets.c.name == name)).first()
    return _as_dataset(row) if row else None


def all_datasets(connection: Connection, project: str) -> list[DatasetRecord]:
    return [_as_dataset(row) for row in connection.execute(_datasets(project).order_by(datasets.c.name))]


def _datasets(project: str) -> Select[Any]:
    newest = select(func.max(versions.c.number)).where(versions.c.dataset_id == datasets.c.id).scalar_subquery()
    current = (definitions.c.dataset_id == datasets.c.id) & (definitions.c.revision == datasets.c.revision)
    return (
        select(datasets, definitions, newest.label("latest_version"))
        .select_from(datasets.join(definitions, current))
        .where(datasets.c.project == project)
    )


def add_dataset(work: Work, id: str, name: str) -> None:
    work.execute(insert(datasets).values(id=id, project=work.principal.project, name=name, revision=0))


def add_definition(
    work: Work, dataset_id: str, revision: int, *, digest: str, body: dict[str, Any], folder: str | None
) -> None:
    work.execute(
        insert(definitions).values(
            dataset_id=dataset_id, revision=revision, digest=digest, body=body, folder=folder, applied_at=work.now
        )
    )
    work.execute(update(datasets).where(datasets.c.id == dataset_id).values(revision=revision))


def move(work: Work, dataset_id: str, folder: str | None) -> None:
    """Note that the current definition now lies in another folder."""
    current = select(datasets.c.revision).where(datasets.c.id == dataset_id).scalar_subquery()
    here = (definitions.c.dataset_id == dataset_id) & (definitions.c.revision == current)
    work.execute(update(definitions).where(here).values(folder=folder))


def version_of(connection: Connection, dataset_id: str, version_id: str) -> Version | None:
    query = _versions().where(versions.c.dataset_id == dataset_id, versions.c.id == version_id)
    row = connection.execute(query).first()
    return _as_version(row) if row else None


def version_with_id(connection: Connection, project: str, version_id: str) -> Version | None:
    """The version of that id; should several datasets hold the same rows, the one that had them first."""
    query = _versions().where(versions.c.project == project, versions.c.id == version_id)
    row = connection.execute(query.order_by(versions.c.created_at).limit(1)).first()
    return _as_version(row) if row else None


def version_numbered(connection: Connection, dataset_id: str, number: int | None) -> Version | None:
    """The dataset's version of that number; the newest for None."""
    query = _versions().where(versions.c.dataset_id == dataset_id).order_by(versions.c.number.desc()).limit(1)
    row = connection.execute(query if number is None else query.where(versions.c.number == number)).first()
    return _as_version(row) if row else None


def versions_starting(connection: Connection, dataset_id: str, prefix: str) -> list[Version]:
    query = _versions().where(versions.c.dataset_id == dataset_id, versions.c.id.startswith(prefix, autoescape=True))
    return [_as_version(row) for row in connection.execute(query.limit(2))]


def versions_of(connection: Connection, dataset_id: str, limit: int) -> list[Version]:
    query = _versions().where(versions.c.dataset_id == dataset_id).order_by(versions.c.number.desc())
    return [_as_version(row) for row in connection.execute(query.limit(limit))]


def _versions() -> Select[Any]:
    return select(versions, datasets.c.name).join(datasets, datasets.c.id == versions.c.dataset_id)


def add_version(work: Work, dataset_id: str, version: Version) -> None:
    work.execute(
        insert(versions).values(
            dataset_id=dataset_id,
            id=version.id,
            project=work.principal.project,
            number=version.number,
            row_count=version.rows,
            manifest_digest=version.manifest_digest,
            source_name=version.source_name,
            source_fingerprint=version.source_fingerprint,
            quarantined=version.quarantined,
            created_at=version.created_at,
        )
    )


def known_reading(connection: Connection, dataset_id: str, fingerprint: str, reading_digest: str) -> Version | None:
    query = select(readings.c.version_id).where(
        readings.c.dataset_id == dataset_id,
        readings.c.fingerprint == fingerprint,
        readings.c.reading_digest == reading_digest,
    )
    found = connection.execute(query).scalar()
    return None if found is None else version_of(connection, dataset_id, found)


def add_reading(work: Work, dataset_id: str, fingerprint: str, reading_digest: str, version_id: str) -> None:
    work.execute(
        insert(readings).values(
            dataset_id=dataset_id, fingerprint=fingerprint, reading_digest=reading_digest, version_id=version_id
        )
    )


def add_attempt(work: Work, dataset_id: str, attempt: Attempt) -> None:
    work.execute(
        insert(attempts).values(
            id=attempt.id,
            project=work.principal.project,
            dataset_id=dataset_id,
            outcome=attempt.outcome,
            version_id=attempt.version_id,
            source_name=attempt.source_name,
            source_fingerprint=attempt.source_fingerprint,
            counts=asdict(attempt.counts),
            reasons=[list(reason) for reason in attempt.reasons],
            quarantine_files=[asdict(file) for file in attempt.quarantine_files],
            error=attempt.error,
            at=attempt.at,
        )
    )


def attempt(connection: Connection, project: str, id: str) -> Attempt | None:
    query = _attempts().where(attempts.c.project == project, attempts.c.id == id)
    row = connection.execute(query).first()
    return _as_attempt(row) if row else None


def attempts_of(connection: Connection, dataset_id: str, limit: int) -> list[Attempt]:
    """The dataset's attempts, newest first."""
    query = _attempts().where(attempts.c.dataset_id == dataset_id).order_by(attempts.c.at.desc(), attempts.c.id.desc())
    return [_as_attempt(row) for row in connection.execute(query.limit(limit))]


def _attempts() -> Select[Any]:
    return select(attempts, datasets.c.name).join(datasets, datasets.c.id == attempts.c.dataset_id)


def has_upload(connection: Connection, project: str, digest: str) -> bool:
    query = select(uploads.c.digest).where(uploads.c.project == project, uploads.c.digest == digest)
    return connection.execute(query).first() is not None


def add_upload(work: Work, digest: str, size_bytes: int) -> None:
    if not has_upload(work.connection, work.principal.project, digest):
        project = work.principal.project
        work.execute(
            insert(uploads).values(project=project, digest=digest, size_bytes=size_bytes, uploaded_at=work.now)
        )


def _as_dataset(row: Row[Any]) -> DatasetRecord:
    return DatasetRecord(
        DatasetId(row.id), row.name, row.revision, row.body, row.digest, row.folder, row.applied_at, row.latest_version
    )


def _as_version(row: Row[Any]) -> Version:
    return Version(
        VersionId(row.id),
        row.name,
        row.number,
        row.row_count,
        row.created_at,
        row.manifest_digest,
        row.source_name,
        row.source_fingerprint,
        row.quarantined,
    )


def _as_attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        row.id,
        row.name,
        row.outcome,
        row.version_id,
        row.source_name,
        row.source_fingerprint,
        Counts(**row.counts),
        tuple((reason, count) for reason, count in row.reasons),
        tuple(FileEntry(**file) for file in row.quarantine_files),
        row.error,
        row.at,
    )
