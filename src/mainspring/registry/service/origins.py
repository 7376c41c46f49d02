"""Where an artifact came from, read from the events that tell of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.data.events import VersionIngested
from mainspring.engines.ledger import events as ledger
from mainspring.engines.sql.contract import Database
from mainspring.kernel.events import LoggedEvent
from mainspring.pipelines.events import StepFinished

_MOST_THINGS = 2000
_MOST_OUTPUTS = 50


@dataclass(frozen=True)
class Origin:
    """The step that made an artifact and what it rested on; empty where no event tells.

    outputs  digests of what the steps on the way gave, nearest first.
    """

    step_id: str | None = None
    run_id: str | None = None
    environment_id: str | None = None
    dataset_version_ids: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()


def origin_of(sql: Database, project: str, id: str, *, run_id: str | None = None) -> Origin:
    """The origin of an artifact, or of a run.

    run_id  of several makers of equal bytes the one in this run is taken, if it is among them.
    """
    told = _told(sql, project, id)
    steps = [event for event in told if event.kind == StepFinished.kind]
    # A choice hands on what a step made, and is no maker itself.
    makers = [e for e in steps if id in e.subjects["artifact_ids"] and (e.payload or {}).get("step_kind") == "step"]
    maker = next((e for e in makers if e.subjects["run_id"] == run_id), next(iter(makers), None))
    edges = [edge for event in told for edge in event.edges]
    ingested = {event.subjects["dataset_version_id"] for event in told if event.kind == VersionIngested.kind}
    return Origin(
        step_id=maker.subjects["step_id"] if maker else None,
        run_id=maker.subjects["run_id"] if maker else None,
        environment_id=next((target for _, relation, target in edges if relation == "ran in"), None),
        dataset_version_ids=tuple(sorted({target for _, rel, target in edges if rel == "used" and target in ingested})),
        params=dict((maker.payload or {}).get("params", {})) if maker else {},
        outputs=_outputs(steps),
    )


def _told(sql: Database, project: str, id: str) -> list[LoggedEvent]:
    """The events of everything `id` rests on, nearest first."""
    found: dict[str, LoggedEvent] = {}
    seen, queue = {id}, deque([id])
    with sql.read() as connection:
        while queue and len(seen) < _MOST_THINGS:
            here = queue.popleft()
            for event in ledger.about(connection, project, here):
                targets = [target for source, _, target in event.edges if source == here]
                if targets or event.kind == VersionIngested.kind:
                    found[event.id] = event
                queue.extend(target for target in targets if target not in seen)
                seen.update(targets)
    return list(found.values())


def _outputs(steps: list[LoggedEvent]) -> tuple[str, ...]:
    digests = [digest for event in steps for digest in (event.payload or {}).get("outputs", {}).values()]
    return tuple(dict.fromkeys(digests))[:_MOST_OUTPUTS]
