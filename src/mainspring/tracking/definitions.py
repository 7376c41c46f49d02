"""What the user writes to log: the same calls work inside a step and inside `ms.start_run`.

Inside a step the words go up the step's pipe; inside `ms.start_run` they go to that run; elsewhere
there is nothing to log to, and that is an error and not a silent loss.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import InvalidInput
from mainspring.kernel.reporting import report


def log_metric(key: str, value: float, step: int = 0) -> None:
    """Record one value of a metric. NaN and infinities are kept as they are."""
    _say({"type": "metric", "key": key, "value": float(value), "step": int(step), "time": time.time()})


def log_metrics(values: Mapping[str, float], step: int = 0) -> None:
    """Record one value of each metric."""
    for key, value in values.items():
        log_metric(key, value, step)


def log_param(key: str, value: Any) -> None:
    """Record a parameter. It never changes: another value for the same key is refused."""
    log_params({key: value})


def log_params(values: Mapping[str, Any]) -> None:
    """Record parameters of JSON's types."""
    _say({"type": "params", "values": dict(values)})


def log_artifact(path: str | Path, name: str | None = None) -> None:
    """Record a file under `name` (default: the file's own). It is read before the step ends."""
    file = Path(path)
    if not file.is_file():
        raise InvalidInput(
            f"artifact {path}", wanted="an existing file", found="none" if not file.exists() else "no file"
        )
    _say({"type": "artifact", "name": name or file.name, "path": str(file.resolve())})


def log_progress(done: float, total: float | None = None, note: str = "") -> None:
    """Tell how far a long step is; shown while it runs."""
    _say({"type": "progress", "done": done, "total": total, "note": note})


def _say(message: dict[str, Any]) -> None:
    if not report(message):
        raise InvalidInput(
            f"log of a {message['type']}",
            wanted="a running step or an open `ms.start_run(...)`",
            found="neither",
            fix="Wrap the code in `with ms.start_run('name'):`.",
        )
