"""What happened to projects, principals, roles and tokens. All stand in the chain `platform`."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.kernel.events import Event, subject


@dataclass(frozen=True, kw_only=True)
class ProjectCreated(Event):
    kind = "access.project.created"
    project_id: str = subject()
    name: str


@dataclass(frozen=True, kw_only=True)
class PrincipalCreated(Event):
    kind = "access.principal.created"
    of_principal_id: str = subject()
    name: str


@dataclass(frozen=True, kw_only=True)
class RoleGranted(Event):
    kind = "access.role.granted"
    of_principal_id: str = subject()
    project_id: str = subject()
    role: str
    before: str | None


@dataclass(frozen=True, kw_only=True)
class RoleWithdrawn(Event):
    kind = "access.role.withdrawn"
    of_principal_id: str = subject()
    project_id: str = subject()
    before: str


@dataclass(frozen=True, kw_only=True)
class TokenIssued(Event):
    kind = "access.token.issued"
    token_id: str = subject()
    of_principal_id: str = subject()
    role: str
    scopes: tuple[str, ...] | None
    project: str | None
    expires_at: str | None


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    kind = "access.token.revoked"
    token_id: str = subject()
    of_principal_id: str = subject()
