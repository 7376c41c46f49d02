"""The tables of the registry."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata, project_column

models = Table(
    "registry_models",
    metadata,
    id_column(),
    project_column(),
    Column("name", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deprecated_at", Instant),
    UniqueConstraint("project", "name"),
)
versions = Table(
    "registry_versions",
    metadata,
    id_column(),
    project_column(),
    Column("model_id", String(64), ForeignKey("registry_models.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("artifact_digest", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("profile", Json, nullable=False),
    Column("gate_id", String(64)),
    Column("registered_by", String(64), nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("deprecated_at", Instant),
    Column("deprecated_because", Text, nullable=False),
    UniqueConstraint("model_id", "number"),
    UniqueConstraint("model_id", "artifact_digest", name="uq_registry_versions_artifact"),
)
aliases = Table(
    "registry_aliases",
    metadata,
    Column("model_id", String(64), ForeignKey("registry_models.id"), primary_key=True),
    Column("alias", String(64), primary_key=True),
    Column("version_id", String(64), ForeignKey("registry_versions.id"), nullable=False, index=True),
)
moves = Table(
    "registry_alias_moves",
    metadata,
    id_column(),
    Column("model_id", String(64), ForeignKey("registry_models.id"), nullable=False, index=True),
    Column("alias", String(64), nullable=False),
    Column("before", Integer),
    Column("after", Integer),
    Column("by", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)
conversions = Table(
    "registry_conversions",
    metadata,
    Column("version_id", String(64), ForeignKey("registry_versions.id"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("onnx_digest", String(64)),
    Column("facts", Json, nullable=False),
    Column("job_id", String(64)),
)
gates = Table(
    "registry_gates",
    metadata,
    id_column(),
    project_column(),
    Column("model_id", String(64), ForeignKey("registry_models.id"), nullable=False),
    Column("key", String(64), nullable=False),
    Column("model_digest", String(64), nullable=False, index=True),
    Column("candidate", Json, nullable=False),
    Column("champion_id", String(64)),
    Column("settings", Json, nullable=False),
    Column("verdict", Json, nullable=False),
    Column("judged_by", String(64), nullable=False),
    Column("judged_at", Instant, nullable=False),
    UniqueConstraint("project", "key"),
)
accesses = Table(
    "registry_accesses",
    metadata,
    id_column(),
    project_column(),
    Column("version_id", String(64), ForeignKey("registry_versions.id"), nullable=False, index=True),
    Column("principal_id", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("at", Instant, nullable=False),
)
