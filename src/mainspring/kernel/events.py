"""What happened: the spine every stage writes and reads.

A stage declares its events in `events.py`, past tense, as frozen dataclasses:

>>> @dataclass(frozen=True, kw_only=True)
... class VersionAdded(Event):
...     kind = "data.version.added"
...     edges = (Edge("version_id", "derived from", "parent_ids"),)
...     version_id: str = subject()
...     parent_ids: tuple[str, ...] = subject()
...     rows: int
>>> happened = VersionAdded(version_id="v2", parent_ids=("v1",), rows=10)
>>> happened.subjects(), happened.payload()
({'version_id': 'v2', 'parent_ids': ['v1']}, {'rows': 10})

Subjects are ids and stand in the chain for ever. Everything else is payload, which may be erased:
names, addresses and data values belong there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar

from mainspring.kernel.canonical import plain

_SUBJECT = "mainspring.subject"
PLATFORM = "platform"
"""The project whose chain holds principals, tokens and projects."""


def subject(**options: Any) -> Any:
    """Mark a field as the id (or tuple of ids) of a thing the event is about."""
    return field(metadata={_SUBJECT: True}, **options)


@dataclass(frozen=True)
class Edge:
    """A lineage edge between two subject fields: `source` --relation--> `target`."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of every event. Subclasses set `kind` and say which lineage edges they draw."""

    kind: ClassVar[str]
    edges: ClassVar[tuple[Edge, ...]] = ()

    def subjects(self) -> dict[str, Any]:
        """Field name to id, or to a list of ids."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.metadata.get(_SUBJECT)}

    @classmethod
    def subject(cls) -> str:
        """The field that holds the id of what the event is about: the first subject declared."""
        return next((f.name for f in fields(cls) if f.metadata.get(_SUBJECT)), "")

    def payload(self) -> dict[str, Any]:
        """Everything that is not a subject, in JSON's types."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self) if not f.metadata.get(_SUBJECT)}


@dataclass(frozen=True)
class LoggedEvent:
    """An event as it stands in a project's chain."""

    project: str
    seq: int
    id: str
    time: datetime
    kind: str
    principal_id: str
    subject: str
    """The name of the subject the event is about; the others it only names."""
    subjects: Mapping[str, Any]
    payload: Mapping[str, Any] | None
    """None once erased."""
    edges: tuple[tuple[str, str, str], ...]
    """(source id, relation, target id), as drawn by the event's class when it was written."""
    hash: str
    previous_hash: str


def drawn_edges(event: Event) -> list[tuple[str, str, str]]:
    """The event's lineage edges between concrete ids; a tuple of ids gives one edge each."""
    subjects = event.subjects()
    drawn = []
    for edge in event.edges:
        for source in _ids(subjects.get(edge.source)):
            for target in _ids(subjects.get(edge.target)):
                drawn.append((source, edge.relation, target))
    return drawn


def _ids(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
