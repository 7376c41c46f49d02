"""`mainspring project|principal|token …`."""

from __future__ import annotations

from typing import Annotated

import typer

from mainspring.surfaces.cli import Group, Session, table

projects = Group("project", "Projects: separate worlds of data, runs, models and people.")
principals = Group("principal", "People and programs, and the roles they hold in a project.")
tokens = Group("token", "Tokens: hashed, scoped, expiring, revocable.")
commands = (projects, principals, tokens)


@projects.command("list")
def list_projects(session: Session) -> None:
    """The projects you have a role in."""
    session.show(session.client.get("/access/projects"), lambda rows: table(rows, ["name", "id", "created_at"]))


@projects.command("create")
def create_project(session: Session, name: str) -> None:
    """A new project; you become its owner."""
    session.show(session.client.post("/access/projects", {"name": name}))


@principals.command("list")
def list_principals(session: Session) -> None:
    """Who holds which role in this project."""
    session.show(session.client.get("/access/grants"), lambda rows: table(rows, ["principal", "role"]))


@principals.command("create")
def create_principal(session: Session, name: str, role: str) -> None:
    """A new principal with a role (viewer, contributor, deployer, owner) in this project."""
    session.show(session.client.post("/access/principals", {"name": name, "role": role}))


@principals.command("grant")
def grant(session: Session, name: str, role: str) -> None:
    """Give a principal a role in this project; at once."""
    session.show(session.client.post("/access/grants", {"name": name, "role": role}))


@principals.command("withdraw")
def withdraw(session: Session, name: str) -> None:
    """Take a principal's role in this project away; at once."""
    session.client.post("/access/grants", {"name": name, "role": None})
    session.show({"principal": name, "role": None})


@tokens.command("list")
def list_tokens(session: Session) -> None:
    """Your own tokens, without their secrets."""
    columns = ["id", "project", "role", "scopes", "expires_at", "revoked_at"]
    session.show(session.client.get("/access/tokens"), lambda rows: table(rows, columns))


@tokens.command("issue")
def issue(
    session: Session,
    name: Annotated[str | None, typer.Option(help="For another principal (owners only).")] = None,
    role: Annotated[str | None, typer.Option(help="The most it may act as.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="A verb or prefix it is good for; may be repeated.")] = None,
    expires_in_s: Annotated[float | None, typer.Option(help="Seconds it lives.")] = None,
) -> None:
    """A new token for this project. Its text is shown once."""
    body = {"name": name, "role": role, "scopes": scope or None, "expires_in_s": expires_in_s}
    session.show(session.client.post("/access/tokens", body), lambda issued: issued["text"])


@tokens.command("revoke")
def revoke(session: Session, id: str) -> None:
    """Make a token useless from now on."""
    session.show(session.client.delete(f"/access/tokens/{id}"))


@tokens.command("link")
def link(session: Session) -> None:
    """A link that opens the user interface in a browser, once, within a quarter of an hour."""
    code = session.client.post("/access/links")["text"]
    session.show({"url": f"{session.client.address}/ui/enter?code={code}"}, lambda shown: shown["url"])
