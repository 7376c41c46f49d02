"""Recording what this process runs on, without a line of user code."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from mainspring.engines.environment.git import git_state
from mainspring.engines.environment.machine import machine
from mainspring.engines.environment.packages import package_lock
from mainspring.surfaces.client import Client

_recorded: WeakKeyDictionary[Client, dict[Path, dict[str, Any]]] = WeakKeyDictionary()


def environment(client: Client, folder: Path | None = None) -> dict[str, Any]:
    """This process's environment (`id`, `lock_digest`, `code`, `machine`), recorded once a client and folder.

    folder  where the user's code lies; its Git commit and uncommitted patch are recorded.
    """
    place = (folder or Path.cwd()).resolve()
    known = _recorded.setdefault(client, {})
    if place not in known:
        state = git_state(place)
        code = None if state is None else {k: v for k, v in asdict(state).items() if k != "patch"}
        body = {"lock": package_lock(), "code": code, "patch": state.patch if state else "", "machine": machine()}
        known[place] = client.post("/tracking/environments", body)
    return known[place]
