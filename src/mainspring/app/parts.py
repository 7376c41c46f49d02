"""The parts of the product in layer order, and the modules of theirs that are mounted."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MIGRATIONS = str(Path(__file__).parent / "migrations")
PARTS = ("access", "audit", "lineage", "jobs", "data", "tracking", "pipelines", "training", "evaluation", "registry")


def stage_modules(name: str) -> Iterator[Any]:
    """The module `name` (routes, commands, pages) of every part that has one, in layer order."""
    for part in PARTS:
        full = f"mainspring.{part}.{name}"
        if importlib.util.find_spec(full) is not None:
            yield importlib.import_module(full)
