"""Queries of models, versions, aliases, conversions and loads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select, update

from mainspring.engines.sql.contract import Work
from mainspring.kernel.errors import NotFound
from mainspring.kernel.ids import new_id
from mainspring.registry.model import AliasMove, Conversion, Model, ModelVersion, Profile, parsed
from mainspring.registry.store.tables import accesses, aliases, conversions, models, moves, versions
from mainspring.training.model import Card


def add_model(work: Work, model: Model) -> None:
    work.execute(insert(models).values(**vars(model)))


def model_named(connection: Connection, project: str, name: str) -> Model | None:
    row = connection.execute(select(models).where(models.c.project == project, models.c.name == name)).first()
    return Model(**row._mapping) if row else None


def find_models(connection: Connection, project: str, text: str | None, limit: int) -> list[Model]:
    """By name; `text` is looked for in name and description."""
    query = select(models).where(models.c.project == project).order_by(models.c.name).limit(limit)
    if text:
        found = [column.icontains(text, autoescape=True) for column in (models.c.name, models.c.description)]
        query = query.where(or_(*found))
    return [Model(**row._mapping) for row in connection.execute(query)]


def deprecate_model(work: Work, id: str) -> None:
    work.execute(update(models).where(models.c.id == id).values(deprecated_at=work.now))


def next_number(connection: Connection, model_id: str) -> int:
    """One past the highest. Only inside a write: its lock keeps other writers from taking the same."""
    highest = connection.execute(select(func.max(versions.c.number)).where(versions.c.model_id == model_id)).scalar()
    return (highest or 0) + 1


def add_version(work: Work, version: ModelVersion) -> None:
    work.execute(
        insert(versions).values(
            id=version.id,
            project=version.project,
            model_id=version.model_id,
            number=version.number,
            artifact_digest=version.artifact_digest,
            size_bytes=version.size_bytes,
            profile={**vars(version.profile), "card": version.profile.card.to_json()},
            gate_id=version.gate_id,
            registered_by=version.registered_by,
            registered_at=version.registered_at,
            deprecated_because="",
        )
    )


def _versions(project: str) -> Select[Any]:
    joined = versions.join(models, models.c.id == versions.c.model_id).outerjoin(
        conversions, conversions.c.version_id == versions.c.id
    )
    columns = (models.c.name, conversions.c.state, conversions.c.onnx_digest, conversions.c.facts, conversions.c.job_id)
    return select(versions, *columns).select_from(joined).where(versions.c.project == project)


def version(connection: Connection, project: str, id: str) -> ModelVersion | None:
    return _one(connection, _versions(project).where(versions.c.id == id))


def version_numbered(connection: Connection, model: Model, number: int) -> ModelVersion | None:
    query = _versions(model.project).where(versions.c.model_id == model.id, versions.c.number == number)
    return _one(connection, query)


def version_of_artifact(connection: Connection, model: Model, digest: str) -> ModelVersion | None:
    query = _versions(model.project).where(versions.c.model_id == model.id, versions.c.artifact_digest == digest)
    return _one(connection, query)


def version_aliased(connection: Connection, model: Model, alias: str) -> ModelVersion | None:
    named = select(aliases.c.version_id).where(aliases.c.model_id == model.id, aliases.c.alias == alias)
    return _one(connection, _versions(model.project).where(versions.c.id == named.scalar_subquery()))


def find_versions(
    connection: Connection, project: str, *, model: str | None = None, limit: int = 100
) -> list[ModelVersion]:
    """Newest first."""
    query = _versions(project).order_by(versions.c.registered_at.desc(), versions.c.number.desc()).limit(limit)
    if model is not None:
        query = query.where(models.c.name == model)
    return _read(connection, query)


def deprecate_version(work: Work, id: str, reason: str) -> None:
    changed = {"deprecated_at": work.now, "deprecated_because": reason}
    work.execute(update(versions).where(versions.c.id == id).values(**changed))


def move_alias(work: Work, version: ModelVersion | None, before: ModelVersion | None, alias: str, reason: str) -> None:
    """Point `alias` at `version`, or take it away, and write that into its history."""
    either = version or before
    if either is None:
        return
    work.execute(delete(aliases).where(aliases.c.model_id == either.model_id, aliases.c.alias == alias))
    if version is not None:
        work.execute(insert(aliases).values(model_id=version.model_id, alias=alias, version_id=version.id))
    work.execute(
        insert(moves).values(
            id=new_id(),
            model_id=either.model_id,
            alias=alias,
            before=before.number if before else None,
            after=version.number if version else None,
            by=work.principal.id,
            at=work.now,
            reason=reason,
        )
    )


def history(connection: Connection, model_id: str, alias: str | None = None) -> list[AliasMove]:
    """Oldest first."""
    query = select(moves).where(moves.c.model_id == model_id).order_by(moves.c.id)
    if alias is not None:
        query = query.where(moves.c.alias == alias)
    rows = connection.execute(query)
    return [AliasMove(row.alias, row.before, row.after, row.by, row.at, row.reason) for row in rows]


def set_conversion(work: Work, version_id: str, conversion: Conversion) -> None:
    work.execute(delete(conversions).where(conversions.c.version_id == version_id))
    work.execute(insert(conversions).values(version_id=version_id, **vars(conversion)))


def add_access(work: Work, version_id: str, purpose: str) -> None:
    who = work.principal
    values = {"id": new_id(), "project": who.project, "version_id": version_id, "principal_id": who.id}
    work.execute(insert(accesses).values(**values, purpose=purpose, at=work.now))


def accesses_of(connection: Connection, project: str, version_id: str, limit: int) -> list[Mapping[str, Any]]:
    """Who loaded the version, newest first."""
    columns = (accesses.c.principal_id, accesses.c.purpose, accesses.c.at)
    query = select(*columns).where(accesses.c.project == project, accesses.c.version_id == version_id)
    return [dict(row._mapping) for row in connection.execute(query.order_by(accesses.c.id.desc()).limit(limit))]


def _one(connection: Connection, query: Select[Any]) -> ModelVersion | None:
    return next(iter(_read(connection, query)), None)


def _read(connection: Connection, query: Select[Any]) -> list[ModelVersion]:
    found = [_version(row) for row in connection.execute(query)]
    names = _aliases(connection, [version.id for version in found])
    return [replace(version, aliases=names.get(version.id, ())) for version in found]


def _aliases(connection: Connection, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    query = select(aliases.c.version_id, aliases.c.alias).where(aliases.c.version_id.in_(list(ids)))
    found: dict[str, tuple[str, ...]] = {}
    for id, alias in connection.execute(query.order_by(aliases.c.alias)):
        found[id] = (*found.get(id, ()), alias)
    return found


def _version(row: Row[Any]) -> ModelVersion:
    profile: dict[str, Any] = dict(row.profile)
    profile["card"] = Card.from_json(profile["card"])
    profile["dataset_version_ids"] = tuple(profile["dataset_version_ids"])
    deprecated_at: datetime | None = row.deprecated_at
    return ModelVersion(
        id=row.id,
        project=row.project,
        model_id=row.model_id,
        model=row.name,
        number=row.number,
        artifact_digest=row.artifact_digest,
        size_bytes=row.size_bytes,
        profile=Profile(**profile),
        gate_id=row.gate_id,
        registered_by=row.registered_by,
        registered_at=row.registered_at,
        deprecated_at=deprecated_at,
        deprecated_because=row.deprecated_because,
        aliases=(),
        conversion=Conversion(row.state or "pending", row.onnx_digest, row.facts or {}, row.job_id),
    )


def found_model(connection: Connection, project: str, name: str) -> Model:
    """The model of that name. Raises NotFound."""
    model = model_named(connection, project, name)
    if model is None:
        fix = "`mainspring model list` names those there are."
        raise NotFound(f"model {name}", wanted="a model of this project", found="none of that name", fix=fix)
    return model


def found_version(connection: Connection, project: str, reference: str) -> ModelVersion:
    """The version of `name@alias`, `name:number` or an id. Raises NotFound, saying what there is."""
    parts = parsed(reference)
    if parts is None:
        by_id = version(connection, project, reference)
        if by_id is None:
            raise NotFound(f"model version {reference}", wanted="`name@alias`, `name:number` or an id", found="none")
        return by_id
    model = found_model(connection, project, parts.model)
    if parts.alias is not None:
        found = version_aliased(connection, model, parts.alias)
    else:
        found = version_numbered(connection, model, parts.number or 0)
    if found is None:
        known = find_versions(connection, project, model=model.name, limit=20)
        there = [name for one in known for name in (f":{one.number}", *(f"@{alias}" for alias in one.aliases))]
        raise NotFound(
            f"model version {reference}", wanted="a registered one", found=", ".join(there) or "no version yet"
        )
    return found
