"""`mainspring why <name>` and `mainspring lineage impact <name>`."""

from __future__ import annotations

from typing import Annotated

import typer

from mainspring.surfaces.cli import Group, Session
from mainspring.surfaces.trees import tree

bare = Group()
commands = Group("lineage", "What rests on what.")
Name = Annotated[str, typer.Argument(help="An id, `model@alias`, `model:3` or `dataset@3`.")]


@bare.command("why")
def why(session: Session, name: Name) -> None:
    """What a thing rests on, down to its data, code and environment."""
    session.show(session.client.get("/lineage/why", name=name), lambda graph: tree(graph, upward=False))


@commands.command("impact")
def impact(session: Session, name: Name) -> None:
    """What rests on a thing."""
    session.show(session.client.get("/lineage/impact", name=name), lambda graph: tree(graph, upward=True))
