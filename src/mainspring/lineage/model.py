"""What stands behind a thing: nodes and typed edges drawn from events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Node:
    """A thing an event named: what it is, who made it when, and what was said of it then.

    kind   the event's word for it (`version`, `run`, `dataset_version`).
    facts  the payload of the event which first had it as its subject; None where that was erased.
    """

    id: str
    kind: str
    made_by: str
    made_at: datetime | None
    event: str
    facts: Mapping[str, Any] | None


@dataclass(frozen=True)
class Link:
    """`source` --relation--> `target`; the target is what the source rests on."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True)
class Graph:
    """Everything reached from `root`; nodes in the order they were reached."""

    root: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
