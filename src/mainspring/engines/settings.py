"""Which engine fills which role, and how hard it holds on to what it was given.

Read from `mainspring.toml` in the home, section `[engines]`, then from MAINSPRING_* variables.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mainspring.kernel.errors import InvalidInput

DURABILITIES = ("process", "power")


@dataclass(frozen=True)
class EngineSettings:
    """sql, blobs, tables, query, compute: the engine by its file's name; durability: what a commit survives."""

    sql: str = "sqlite"
    blobs: str = "folder"
    tables: str = "delta"
    query: str = "duckdb"
    compute: str = "processes"
    durability: str = "process"


def read_settings(home: Path, environ: Mapping[str, str] = os.environ) -> EngineSettings:
    """The settings of a home. Raises InvalidInput for an unknown name or value, naming those there are."""
    known = {field.name for field in fields(EngineSettings)}
    file = home / "mainspring.toml"
    chosen: dict[str, str] = {}
    if file.exists():
        try:
            chosen = dict(tomllib.loads(file.read_text()).get("engines", {}))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"settings {file}", wanted="valid TOML", found=str(error)) from error
    if unknown := sorted(set(chosen) - known):
        raise InvalidInput(
            f"settings {file}", wanted="engines." + ", engines.".join(sorted(known)), found=", ".join(unknown)
        )
    for name in known:
        if value := environ.get(f"MAINSPRING_{name.upper()}"):
            chosen[name] = value
    settings = replace(EngineSettings(), **chosen)
    if settings.durability not in DURABILITIES:
        raise InvalidInput("setting durability", wanted=" or ".join(DURABILITIES), found=settings.durability)
    return settings
