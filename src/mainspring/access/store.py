"""The tables of access."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from mainspring.access.model import Account, Grant, Project, Token
from mainspring.engines.ledger.schema import Instant, Json, id_column, metadata
from mainspring.engines.sql.contract import Work
from mainspring.kernel.ids import PrincipalId, ProjectId
from mainspring.kernel.principals import Role

projects = Table(
    "access_projects",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
)
principals = Table(
    "access_principals",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
)
roles = Table(
    "access_roles",
    metadata,
    Column("principal_id", String(64), ForeignKey("access_principals.id"), primary_key=True),
    Column("project_id", String(64), ForeignKey("access_projects.id"), primary_key=True),
    Column("role", Integer, nullable=False),
    UniqueConstraint("project_id", "principal_id"),
)
tokens = Table(
    "access_tokens",
    metadata,
    id_column(),
    Column("principal_id", String(64), ForeignKey("access_principals.id"), nullable=False, index=True),
    Column("secret_digest", String(64), nullable=False),
    Column("project", String(64)),
    Column("role", Integer, nullable=False),
    Column("scopes", Json),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)


def add_project(work: Work, project: Project) -> None:
    work.execute(insert(projects).values(id=project.id, name=project.name, created_at=project.created_at))


def project_named(connection: Connection, name: str) -> Project | None:
    row = connection.execute(select(projects).where(projects.c.name == name)).first()
    return Project(ProjectId(row.id), row.name, row.created_at) if row else None


def projects_of(connection: Connection, principal_id: str) -> list[Project]:
    query = select(projects).join(roles, roles.c.project_id == projects.c.id).order_by(projects.c.name)
    found = connection.execute(query.where(roles.c.principal_id == principal_id))
    return [Project(ProjectId(row.id), row.name, row.created_at) for row in found]


def add_principal(work: Work, account: Account) -> None:
    work.execute(insert(principals).values(id=account.id, name=account.name, created_at=account.created_at))


def principal_named(connection: Connection, name: str) -> Account | None:
    row = connection.execute(select(principals).where(principals.c.name == name)).first()
    return Account(PrincipalId(row.id), row.name, row.created_at) if row else None


def member_name(connection: Connection, principal_id: str, project_name: str) -> str | None:
    """The name of a principal that holds a role in the project."""
    query = select(principals.c.name).select_from(roles.join(principals).join(projects))
    query = query.where(principals.c.id == principal_id, projects.c.name == project_name)
    found: str | None = connection.execute(query).scalar()
    return found


def grants(connection: Connection, project_id: str) -> list[Grant]:
    query = (
        select(principals.c.name.label("principal"), projects.c.name.label("project"), roles.c.role)
        .select_from(roles.join(principals).join(projects))
        .where(roles.c.project_id == project_id)
        .order_by(principals.c.name)
    )
    return [Grant(row.principal, row.project, Role(row.role).name) for row in connection.execute(query)]


def role_of(connection: Connection, principal_id: str, project_id: str) -> Role | None:
    query = select(roles.c.role).where(roles.c.principal_id == principal_id, roles.c.project_id == project_id)
    found = connection.execute(query).scalar()
    return None if found is None else Role(found)


def set_role(work: Work, principal_id: str, project_id: str, role: Role | None) -> None:
    here = (roles.c.principal_id == principal_id) & (roles.c.project_id == project_id)
    if role is None:
        work.execute(delete(roles).where(here))
    elif work.execute(update(roles).where(here).values(role=int(role))).rowcount == 0:
        work.execute(insert(roles).values(principal_id=principal_id, project_id=project_id, role=int(role)))


def add_token(work: Work, token: Token, secret_digest: str) -> None:
    work.execute(
        insert(tokens).values(
            id=token.id,
            principal_id=token.principal_id,
            secret_digest=secret_digest,
            project=token.project,
            role=int(token.role),
            scopes=None if token.scopes is None else list(token.scopes),
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )


def token(connection: Connection, id: str) -> Token | None:
    row = connection.execute(select(tokens).where(tokens.c.id == id)).first()
    return as_token(row) if row else None


def tokens_of(connection: Connection, principal_id: str) -> list[Token]:
    query = select(tokens).where(tokens.c.principal_id == principal_id).order_by(tokens.c.created_at)
    return [as_token(row) for row in connection.execute(query)]


def revoke(work: Work, id: str) -> None:
    work.execute(update(tokens).where(tokens.c.id == id).values(revoked_at=work.now))


_SIGN_IN = (
    select(tokens, principals.c.name.label("principal_name"))
    .select_from(tokens.join(principals))
    .where(tokens.c.id == bindparam("token_id"))
)
_HELD = select(roles.c.role).select_from(roles.join(projects))
_HELD = _HELD.where(roles.c.principal_id == bindparam("of_principal"), projects.c.name == bindparam("in_project"))


def sign_in(connection: Connection, token_id: str) -> Row[Any] | None:
    """The token's row with its principal's name."""
    return connection.execute(_SIGN_IN, {"token_id": token_id}).first()


def held_role(connection: Connection, principal_id: str, project_name: str) -> Role | None:
    found = connection.execute(_HELD, {"of_principal": principal_id, "in_project": project_name}).scalar()
    return None if found is None else Role(found)


def as_token(row: Row[Any]) -> Token:
    return Token(
        row.id,
        PrincipalId(row.principal_id),
        row.project,
        Role(row.role),
        None if row.scopes is None else tuple(row.scopes),
        row.created_at,
        row.expires_at,
        row.revoked_at,
    )
