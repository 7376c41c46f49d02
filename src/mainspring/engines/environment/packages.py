"""The packages this interpreter can import, as a lock: name and exact version a line."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import distributions


@cache
def package_lock() -> str:
    """`python==X` and every installed distribution, sorted, one a line."""
    found: dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        # The first on the path is the one that is imported.
        if name:
            found.setdefault(name.lower().replace("_", "-"), distribution.version)
    python = ".".join(str(part) for part in sys.version_info[:3])
    return "\n".join([f"python=={python}", *(f"{name}=={found[name]}" for name in sorted(found))]) + "\n"
