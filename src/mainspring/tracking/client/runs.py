"""`with ms.start_run("name"):` for scripts and notebooks."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.reporting import listening
from mainspring.kernel.seeds import set_seeds
from mainspring.surfaces.client import Client, connect
from mainspring.tracking.client.artifacts import put_artifact
from mainspring.tracking.client.environments import environment

_FLUSH_S = 1.0
_FLUSH_POINTS = 1000


class ActiveRun:
    """An open run. Metrics are sent in batches at least once a second, and before the run ends."""

    def __init__(self, client: Client, run: dict[str, Any]) -> None:
        self.id: str = run["id"]
        self.name: str = run["name"]
        self._client = client
        self._points: list[dict[str, Any]] = []
        self._sent_at = time.monotonic()
        self._lock = threading.Lock()

    def flush(self) -> None:
        """Send what is buffered. What this returned from is kept, whatever happens to this process."""
        with self._lock:
            self._send()

    def hear(self, message: dict[str, Any]) -> None:
        """Take one word of `ms.log_metric` and its kin."""
        with self._lock:
            match message["type"]:
                case "metric":
                    at = datetime.fromtimestamp(message["time"], UTC)
                    self._points.append(
                        plain({"key": message["key"], "value": message["value"], "step": message["step"], "time": at})
                    )
                    waited = time.monotonic() - self._sent_at
                    if len(self._points) >= _FLUSH_POINTS or waited >= _FLUSH_S:
                        self._send()
                case "params":
                    self._records(params=plain(message["values"]))
                case "artifact":
                    path = Path(message["path"])
                    digest = put_artifact(self._client, path)
                    entry = {"name": message["name"], "digest": digest, "size_bytes": path.stat().st_size}
                    self._records(artifacts=[entry])

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        if self._points:
            self._records(points=self._points)
            # Cleared only now: points of a failed send are sent again by the next.
            self._points.clear()

    def _records(self, **records: Any) -> None:
        self._client.post(f"/tracking/runs/{self.id}/records", records)


@contextmanager
def start_run(
    name: str,
    *,
    seed: int | None = None,
    home: str | Path | None = None,
    project: str | None = None,
    client: Client | None = None,
) -> Iterator[ActiveRun]:
    """Open a run and record into it; it ends with the block: succeeded, failed, or cancelled by Ctrl-C.

    seed  set in Python's `random`, NumPy and torch (those that are imported) and recorded.
    """
    own = client is None
    client = client or connect(home, project=project)
    try:
        seeds = set_seeds(seed) if seed is not None else {}
        body = {"name": name, "environment_id": environment(client)["id"], "seeds": seeds}
        run = ActiveRun(client, client.post("/tracking/runs", body))
        status = "failed"
        try:
            with listening(run.hear):
                yield run
            status = "succeeded"
        except KeyboardInterrupt:
            status = "cancelled"
            raise
        finally:
            _end(client, run, status)
    finally:
        if own:
            client.close()


def _end(client: Client, run: ActiveRun, status: str) -> None:
    failing = sys.exc_info()[1]
    try:
        run.flush()
        client.post(f"/tracking/runs/{run.id}/end", {"status": status})
    except MainspringError as error:
        if failing is None:
            raise
        # The user's own exception matters more; the run is found open and can be ended by hand.
        failing.add_note(f"The run {run.id} could not be ended: {error}")
