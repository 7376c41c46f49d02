"""Compute engines of this process: opened once, warm for the next run, closed with the process."""

from __future__ import annotations

import atexit
import inspect
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainspring.engines.compute.contract import Compute
from mainspring.engines.settings import read_settings
from mainspring.kernel import plugins

_FOR_STEPS = ("mainspring.pipelines.work", "mainspring.pipelines.materializers._loaded")
_lock = threading.Lock()
_pools: dict[tuple[Path, str], Compute] = {}


def pool(home: Path | None, name: str | None) -> Compute:
    """The engine of that name for a home (None: of a remote server); default: the home's setting."""
    place = home or Path(tempfile.gettempdir())
    chosen = name or (read_settings(home).compute if home else "processes")
    with _lock:
        if (place, chosen) not in _pools:
            open_engine = plugins.load("mainspring.engines.compute", chosen).open_engine
            _pools[place, chosen] = open_engine(place, **_options(open_engine))
        return _pools[place, chosen]


def _options(open_engine: Callable[..., Compute]) -> dict[str, Any]:
    """For engines that import things ahead of their tasks: what steps need, and what definitions are written with."""
    preload = inspect.signature(open_engine).parameters.get("preload")
    if preload is None:
        return {}
    written_with = sorted(
        name for name in sys.modules if name.startswith("mainspring.") and name.endswith(".definitions")
    )
    return {"preload": (*preload.default, *_FOR_STEPS, *written_with)}


def discard(compute: Compute) -> None:
    """Close an engine at once, with everything in it; the next run opens another."""
    with _lock:
        for key in [key for key, known in _pools.items() if known is compute]:
            del _pools[key]
    compute.close()


@atexit.register
def close_pools() -> None:
    """Close every engine; for the end of the process, and for tests."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for each in pools:
        each.close()
