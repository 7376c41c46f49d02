"""Use cases of lineage: what a thing rests on, and what rests on it. Nothing but events is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sqlalchemy import Connection

from mainspring.engines.assembly import Engines
from mainspring.engines.ledger import events as ledger
from mainspring.kernel.errors import NotFound
from mainspring.kernel.events import LoggedEvent
from mainspring.kernel.principals import Principal, use_case
from mainspring.lineage import permissions
from mainspring.lineage.model import Graph, Link, Node

Resolver = Callable[[Principal, str], str | None]
"""Turns a name people use (`bike-demand@champion`) into an id, or None where it is not its kind of name."""

_MOST_NODES = 2000


class LineageService:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self.resolvers: list[Resolver] = []

    @use_case(permissions.READ)
    def why(self, principal: Principal, name: str) -> Graph:
        """What `name` rests on, all the way down: the walk follows edges from source to target."""
        return self._walk(principal, name, forward=False)

    @use_case(permissions.READ)
    def impact(self, principal: Principal, name: str) -> Graph:
        """What rests on `name`, all the way up."""
        return self._walk(principal, name, forward=True)

    def _walk(self, principal: Principal, name: str, *, forward: bool) -> Graph:
        nodes: dict[str, Node] = {}
        links: dict[Link, None] = {}
        with self._engines.sql.read() as connection:
            root = self._resolve(connection, principal, name)
            queue = deque([root])
            while queue and len(nodes) < _MOST_NODES:
                id = queue.popleft()
                if id in nodes:
                    continue
                told = ledger.about(connection, principal.project, id)
                nodes[id] = _node(id, told)
                for event in told:
                    for source, relation, target in event.edges:
                        here, there = (target, source) if forward else (source, target)
                        if here == id:
                            links[Link(source, relation, target)] = None
                            queue.append(there)
        return Graph(root, tuple(nodes.values()), tuple(links))

    def _resolve(self, connection: Connection, principal: Principal, name: str) -> str:
        if ledger.about(connection, principal.project, name, limit=1):
            return name
        for resolver in self.resolvers:
            if id := resolver(principal, name):
                return id
        raise NotFound(
            name,
            wanted="an id, a model version (`model@alias`, `model:3`) or a dataset version (`dataset@3`)",
            found="nothing of that name in this project",
        )


def _node(id: str, told: list[LoggedEvent]) -> Node:
    """The thing as the event tells that had it as first subject; else as the first that names it."""
    made = next((event for event in told if next(iter(event.subjects.values()), None) == id), None)
    event = made or (told[0] if told else None)
    if event is None:
        return Node(id, "unknown", "", None, "", {})
    role = next(name for name, value in event.subjects.items() if value == id or (isinstance(value, list) and id in value))
    kind = role.removesuffix("_ids").removesuffix("_id")
    if made is None:
        return Node(id, kind, "", None, "", {})
    return Node(id, kind, event.principal_id, event.time, event.kind, event.payload)
