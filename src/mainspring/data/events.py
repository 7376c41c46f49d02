"""What happened to datasets. A source is known by the sha-256 of its bytes."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.kernel.events import Edge, Event, subject


@dataclass(frozen=True, kw_only=True)
class DatasetApplied(Event):
    kind = "data.dataset.applied"
    edges = (Edge("dataset_id", "defined by", "definition_id"),)
    dataset_id: str = subject()
    definition_id: str = subject()
    name: str
    revision: int


@dataclass(frozen=True, kw_only=True)
class VersionIngested(Event):
    kind = "data.version.ingested"
    edges = (
        Edge("dataset_version_id", "version of", "dataset_id"),
        Edge("dataset_version_id", "derived from", "source_id"),
        Edge("dataset_version_id", "derived from", "parent_ids"),
        Edge("dataset_version_id", "read by", "definition_id"),
    )
    dataset_version_id: str = subject()
    dataset_id: str = subject()
    source_id: str = subject()
    parent_ids: tuple[str, ...] = subject()
    definition_id: str = subject()
    manifest_digest: str = subject()
    dataset: str
    number: int
    rows: int
    quarantined: int
    source_name: str


@dataclass(frozen=True, kw_only=True)
class SourceRecognized(Event):
    """Other bytes held the very rows of a version that exists."""

    kind = "data.source.recognized"
    edges = (Edge("dataset_version_id", "derived from", "source_id"),)
    dataset_version_id: str = subject()
    dataset_id: str = subject()
    source_id: str = subject()
    dataset: str
    source_name: str


@dataclass(frozen=True, kw_only=True)
class IngestRefused(Event):
    kind = "data.ingest.refused"
    attempt_id: str = subject()
    dataset_id: str = subject()
    source_id: str = subject()
    dataset: str
    source_name: str
    read: int
    quarantined: int
    error: str
