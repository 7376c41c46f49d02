"""What it costs to have: the base install's size, by each distribution's own record, and the import."""

from __future__ import annotations

import importlib.metadata as metadata
import os
import re
import subprocess
import sys

from benchmarks.report import Figure


def closure(name: str, seen: set[str]) -> set[str]:
    """The distribution and everything it needs here, without extras."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return seen
    seen.add(key)
    from packaging.requirements import Requirement

    for text in requires:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            closure(requirement.name, seen)
    return seen


def size_bytes(name: str) -> int:
    found = metadata.distribution(name)
    places = (str(found.locate_file(file)) for file in found.files or [])
    return sum(os.path.getsize(place) for place in places if os.path.exists(place))


def _import_s() -> float:
    script = "import time; began = time.perf_counter(); import mainspring; print(time.perf_counter() - began)"
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def measure() -> list[Figure]:
    sizes = {name: size_bytes(name) for name in closure("mainspring", set())}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:7]
    detail = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in largest)
    imported = [_import_s() for _ in range(5)]
    importing = Figure("import mainspring", sorted(imported)[2], "s", 0.15, detail="median of 5 fresh interpreters")
    return [importing, Figure("base install", sum(sizes.values()) / 1e6, "MB", 600.0, detail=detail)]
