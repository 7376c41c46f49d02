"""HTTP routes of access."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from mainspring.access.model import Account, Grant, IssuedToken, Project, Token, Who
from mainspring.access.service import AccessService
from mainspring.surfaces.http import Caller


class NewProject(BaseModel):
    name: str


class NewPrincipal(BaseModel):
    name: str
    role: str


class NewGrant(BaseModel):
    name: str
    role: str | None


class NewToken(BaseModel):
    name: str | None = None
    role: str | None = None
    scopes: list[str] | None = None
    expires_in_s: float | None = None


def routes(access: AccessService) -> APIRouter:
    router = APIRouter(prefix="/access", tags=["access"])

    @router.get("/me")
    def me(principal: Caller) -> Who:
        return access.who(principal)

    @router.get("/projects")
    def projects(principal: Caller) -> list[Project]:
        return access.projects(principal)

    @router.post("/projects")
    def create_project(principal: Caller, body: NewProject) -> Project:
        return access.create_project(principal, body.name)

    @router.get("/grants")
    def grants(principal: Caller) -> list[Grant]:
        return access.grants(principal)

    @router.post("/principals")
    def create_principal(principal: Caller, body: NewPrincipal) -> Account:
        return access.create_principal(principal, body.name, body.role)

    @router.post("/grants")
    def grant(principal: Caller, body: NewGrant) -> Grant | None:
        return access.grant(principal, body.name, body.role)

    @router.get("/tokens")
    def tokens(principal: Caller) -> list[Token]:
        return access.tokens(principal)

    @router.post("/tokens")
    def issue_token(principal: Caller, body: NewToken) -> IssuedToken:
        return access.issue_token(
            principal, name=body.name, role=body.role, scopes=body.scopes, expires_in_s=body.expires_in_s
        )

    @router.delete("/tokens/{id}")
    def revoke_token(principal: Caller, id: str) -> dict[str, str]:
        access.revoke_token(principal, id)
        return {"revoked": id}

    @router.post("/links")
    def open_link(principal: Caller) -> IssuedToken:
        return access.open_link(principal)

    return router
