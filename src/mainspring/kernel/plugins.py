"""Plug-ins by folder: one file is one plug-in and its name is its public name.

A kind is a package (`mainspring.evaluation.metrics`). Files beginning with an underscore and
`contract.py`, where the kind's base class stands, are not plug-ins. Outside packages add theirs by
an entry point in the group named like the package. Nothing is imported until it is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

from mainspring.kernel.errors import NotFound


@cache
def names(package: str) -> tuple[str, ...]:
    """The public names of every plug-in of the kind, sorted."""
    spec = importlib.util.find_spec(package)
    paths = (spec.submodule_search_locations or []) if spec else []
    own = {m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_") and m.name != "contract"}
    return tuple(sorted(own | {point.name for point in entry_points(group=package)}))


@cache
def load(package: str, name: str) -> ModuleType:
    """The plug-in's module. Raises NotFound, naming those there are."""
    if name not in names(package):
        kind = package.rpartition(".")[2].replace("_", " ")
        raise NotFound(f"{kind} {name!r}", wanted="one of " + ", ".join(names(package)), found=repr(name))
    for point in entry_points(group=package, name=name):
        module: ModuleType = point.load()
        return module
    return importlib.import_module(f"{package}.{name}")
