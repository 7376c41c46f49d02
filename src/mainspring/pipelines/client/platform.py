"""What a driver says to the platform, call by call."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.pipelines.client.nodes import Node
from mainspring.surfaces.client import Client
from mainspring.tracking.client.artifacts import get_artifact, put_artifact


def this_driver() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


class Platform:
    """One run's side of the HTTP API."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self._path = f"/pipelines/runs/{run_id}"

    def start(self, **fields: Any) -> dict[str, Any]:
        """Begin the run; the answer's hints are executions that may stand for steps of it."""
        started: dict[str, Any] = self.client.post("/pipelines/runs", {"run_id": self.run_id, **fields})
        return started

    def exchange(self, told: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.post(f"{self._path}/exchange", told)
        return answer

    def points(self, node: Node, points: Sequence[Mapping[str, Any]], *, is_first: bool) -> None:
        self.client.post(f"{self._path}/points", {"step_id": node.id, "points": list(points), "is_first": is_first})

    def upload(self, path: Path) -> str:
        return put_artifact(self.client, path)

    def fetch(self, digest: str) -> bytes:
        return get_artifact(self.client, digest)

    def end(self, status: str, error: Mapping[str, str] | None, skipped: Sequence[Node]) -> None:
        body = {"status": status, "error": error, "skipped": [named(node) for node in skipped]}
        self.client.post(f"{self._path}/finish", body)

    def operate(self, path: str, arguments: Mapping[str, Any]) -> Any:
        """Call the platform; where it answers with a job, the job's result."""
        answer = self.client.post(path, dict(arguments))
        if isinstance(answer, dict) and answer.get("job_id"):
            return self.client.wait(answer["job_id"])["result"]
        return answer


def named(node: Node) -> dict[str, Any]:
    """A node as the platform calls it, with the executions of this run that it needs."""
    needs = [needed.id for needed in node.needs if not needed.given]
    return {"step_id": node.id, "name": node.name, "ordinal": node.ordinal, "kind": node.kind, "needs": needs}
