"""A graph of what rests on what, drawn for a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rich.tree import Tree

from mainspring.surfaces.cli import cell

_DIGEST = re.compile(r"[0-9a-f]{40,}")
_MOST_CHARACTERS = 220


def tree(graph: Mapping[str, Any], *, upward: bool) -> Tree:
    """The graph as an indented tree; a node reached twice is drawn once and then named."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    near, far = ("target", "source") if upward else ("source", "target")
    drawn: set[str] = set()

    def grow(branch: Tree, id: str) -> None:
        drawn.add(id)
        for link in graph["links"]:
            if link[near] != id:
                continue
            relation, other = link["relation"], nodes.get(link[far])
            if other is None:
                continue
            again = other["id"] in drawn
            twig = branch.add(f"[dim]{relation}[/] {_title(other)}" + (" [dim](above)[/]" if again else ""))
            if not again:
                _facts(twig, other)
                grow(twig, other["id"])

    root = Tree(_title(nodes[graph["root"]]))
    _facts(root, nodes[graph["root"]])
    grow(root, graph["root"])
    return root


def _title(node: Mapping[str, Any]) -> str:
    when = f" [dim]{node['made_at'][:19].replace('T', ' ')} UTC[/]" if node["made_at"] else ""
    return f"[bold]{node['kind'].replace('_', ' ')}[/] [cyan]{_short(node['id'])}[/]{when}"


def _facts(branch: Tree, node: Mapping[str, Any]) -> None:
    if node["facts"] is None:
        branch.add("[dim]payload erased[/]")
        return
    shown = [
        f"{name} {_short(cell(value))}" for name, value in node["facts"].items() if value not in (None, [], {}, "")
    ]
    if shown:
        text = " · ".join(shown).replace("[", "\\[")
        branch.add(f"[dim]{text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + ' …'}[/]")


def _short(text: str) -> str:
    """Digests by their first twelve digits: enough for a person to tell them apart."""
    return _DIGEST.sub(lambda found: found[0][:12] + "…", text)
