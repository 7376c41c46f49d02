"""Use cases of lineage: what a thing rests on, and what rests on it. Nothing but events is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mainspring.engines.assembly import Engines
from mainspring.kernel.errors import NotFound
from mainspring.kernel.events import LoggedEvent
from mainspring.kernel.principals import Principal, use_case
from mainspring.lineage import permissions, store
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
        with store.telling(self._engines.sql, principal.project) as told:
            root = self._resolve(told, principal, name)
            queue = deque([root])
            while queue and len(nodes) < _MOST_NODES:
                id = queue.popleft()
                if id in nodes:
                    continue
                nodes[id] = _node(id, told(id))
                for event in told(id):
                    for source, relation, target in event.edges:
                        here, there = (target, source) if forward else (source, target)
                        if here == id:
                            links[Link(source, relation, target)] = None
                            queue.append(there)
        return Graph(root, tuple(nodes.values()), tuple(links))

    def _resolve(self, told: store.Told, principal: Principal, name: str) -> str:
        if told(name):
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
    """The thing as the first event tells that is about it; else by the name another gives it."""
    made = next((event for event in told if event.subjects.get(event.subject) == id), None)
    if made is not None:
        return Node(id, _kind(made.subject), made.principal_id, made.time, made.kind, made.payload)
    roles = (name for event in told for name, value in event.subjects.items() if id == value or id in (value or ()))
    return Node(id, _kind(next(roles, "unknown")), "", None, "", {})


def _kind(subject: str) -> str:
    return subject.removesuffix("_ids").removesuffix("_id")
