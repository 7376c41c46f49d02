from __future__ import annotations

import os
import queue
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.engines.compute.contract import Compute, Task
from mainspring.kernel import plugins

ROLE = "mainspring.engines.compute"
WAIT_S = 30.0
"""Far more than anything here takes: a hang fails instead of hanging the suite."""


def open_light(name: str, home: Path, capacity_cpu: int = 2) -> Compute:
    """An engine that starts quickly: its tasks need no heavy library."""
    options: dict[str, Any] = {"preload": ()} if name == "processes" else {}
    engine: Compute = plugins.load(ROLE, name).open_engine(home, capacity_cpu=capacity_cpu, **options)
    return engine


@pytest.fixture(scope="session", params=plugins.names(ROLE))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compute]:
    """Every implementation there is."""
    with open_light(request.param, tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compute]:
    with open_light("processes", tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Task]:
    """Make a task of a function and its arguments; options begin with an underscore."""

    def make(function: Callable[..., Any], **words: Any) -> Task:
        options: dict[str, Any] = {key[1:]: value for key, value in words.items() if key.startswith("_")}
        arguments = {key: value for key, value in words.items() if not key.startswith("_")}
        name = getattr(function, "__name__", "task")
        options = {"id": "t1", "name": name, "log_path": tmp_path / "logs" / f"{name}.log"} | options
        return Task(**options, function=function, arguments=arguments)

    return make


class Inbox:
    """An `on_message` that one can wait on."""

    def __init__(self) -> None:
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue()

    def __call__(self, message: dict[str, Any]) -> None:
        self._queue.put(message)

    def next(self) -> dict[str, Any]:
        return self._queue.get(timeout=WAIT_S)

    def all(self) -> list[dict[str, Any]]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def ends(pid: int) -> bool:
    """Whether the process is gone, or soon is."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], WAIT_S)[0])
    finally:
        os.close(descriptor)
