"""A run that has ended, in its caller's hands."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import NotFound
from mainspring.pipelines.client.nodes import Node
from mainspring.pipelines.definitions.handles import OUTPUT
from mainspring.pipelines.work import Stored, load
from mainspring.surfaces.client import Client
from mainspring.tracking.client.artifacts import get_artifact


@dataclass(frozen=True)
class FinishedStep:
    """One execution: `outputs` by name with digest, kind and what is known of them."""

    id: str
    name: str
    label: str
    kind: str
    status: str
    attempts: int
    outputs: Mapping[str, Mapping[str, Any]]
    promised: Mapping[str, Any]
    error: Exception | None

    @classmethod
    def of(cls, node: Node) -> FinishedStep:
        outputs = {
            name: {"digest": p.digest, "kind": p.kind, "materializer": p.materializer, "meta": p.meta}
            for name, p in node.pieces.items()
        }
        promised = {name: piece.promised for name, piece in node.pieces.items()}
        return cls(node.id, node.name, node.label, node.kind, node.state, node.attempts, outputs, promised, node.error)


@dataclass(frozen=True)
class FinishedRun:
    """A run as `Pipeline.run` returns it; outputs and reasons are read when they are asked for."""

    id: str
    pipeline: str
    status: str
    error: Exception | None
    steps: tuple[FinishedStep, ...]
    connected: Callable[[], AbstractContextManager[Client]]

    def step(self, label: str) -> FinishedStep:
        """The step of that label ("train", "train[2]") or id. Raises NotFound."""
        found = next((step for step in self.steps if label in (step.label, step.id)), None)
        if found is None:
            wanted = "one of " + ", ".join(step.label for step in self.steps) if self.steps else "a step"
            raise NotFound(f"step {label} of run {self.id}", wanted=wanted, found="none of that name")
        return found

    def load(self, label: str, output: str | None = None) -> Any:
        """The value of a step's output, read from its artifact. Raises NotFound."""
        step = self.step(label)
        name = output or OUTPUT
        if name not in step.outputs:
            wanted = "one of " + ", ".join(step.outputs) if step.outputs else f"outputs of a step that {step.status}"
            raise NotFound(f"output {name} of step {label}", wanted=wanted, found="none of that name")
        described = step.outputs[name]
        with self.connected() as client, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(get_artifact(client, described["digest"]))
            promised = step.promised[name]
            return load(Stored(described["materializer"], path, described["meta"], promised), promised)

    def why(self, step: str) -> list[str]:
        """In words, why a step ran, or from which run its outputs were taken."""
        with self.connected() as client:
            said: list[str] = client.get(f"/pipelines/runs/{self.id}/why", step=step)
            return said

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.pipeline}: {self.status}, {len(self.steps)} steps>"
