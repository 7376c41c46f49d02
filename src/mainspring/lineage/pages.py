"""The page that says what a thing rests on, and the same drawing for pages of other things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from mainspring.kernel.principals import Principal
from mainspring.lineage import model
from mainspring.lineage.service import LineageService
from mainspring.surfaces.drawings import Box, Graph, graph
from mainspring.surfaces.http import Caller
from mainspring.surfaces.pages import Entry, Panel, Site, render

_MOST_DRAWN = 120
_NAMES = ("model", "name", "step", "dataset", "pipeline", "job_kind", "alias", "check", "python")
"""Facts that name a thing, the one that tells most first; a number beside it is added."""


@dataclass(frozen=True)
class Listed:
    """A node as the table has it."""

    node: model.Node
    kind: str
    title: str
    address: str
    relations: tuple[str, ...]


@dataclass(frozen=True)
class Why:
    """A graph as a page shows it; `drawn` is None where it is too large to be looked at."""

    root: str
    title: str
    drawn: Graph | None
    listed: list[Listed]


def pages(lineage: LineageService, site: Site) -> APIRouter:
    router = APIRouter()
    site.navigation.append(Entry("Why", "/ui/why", "platform"))
    site.add_panel("why", lambda principal, id: _panel(lineage, site, principal, id))

    @router.get("/ui/why")
    def why(principal: Caller, request: Request, name: Annotated[str, Query(max_length=300)] = "") -> Response:
        """What the thing of that name rests on; a form where none is named."""
        shown = _shown(site, lineage.why(principal, name.strip())) if name.strip() else None
        return render(request, "lineage/why.html", name=name, why=shown)

    return router


def _panel(lineage: LineageService, site: Site, principal: Principal, id: str) -> Panel:
    more = ("A page of its own", f"/ui/why?name={id}")
    return Panel("What it rests on", "lineage/graph.html", _shown(site, lineage.why(principal, id)), more)


def _shown(site: Site, found: model.Graph) -> Why:
    titles = {node.id: _title(node) for node in found.nodes}
    listed = []
    for node in found.nodes:
        relations = tuple(dict.fromkeys(link.relation for link in found.links if link.target == node.id))
        kind, address = node.kind.replace("_", " "), site.address(node.kind, node.id)
        listed.append(Listed(node, kind, titles[node.id], address, relations))
    drawn = None
    if len(listed) <= _MOST_DRAWN:
        boxes = [Box(each.node.id, each.title, _note(each), "", each.address) for each in listed]
        drawn = graph(boxes, [(link.source, link.target) for link in found.links])
    return Why(found.root, titles[found.root], drawn, listed)


def _note(each: Listed) -> str:
    return f"{each.relations[0]} · {each.kind}" if each.relations else each.kind


def _title(node: model.Node) -> str:
    """The thing's own name with its number, as told when it was made; else the end of its id, which differs most."""
    facts: Mapping[str, object] = node.facts or {}
    named = next((name for name in _NAMES if isinstance(facts.get(name), str) and facts[name]), None)
    if named is None:
        return node.id if len(node.id) <= 12 else f"…{node.id[-10:]}"
    number = facts.get("number")
    sign = "@" if named == "dataset" else ":"
    name = f"Python {facts[named]}" if named == "python" else str(facts[named])
    return f"{name}{sign}{number}" if isinstance(number, int) else name
