"""The user's project: a Python file of definitions, found and imported."""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from mainspring.kernel.errors import InvalidInput, MainspringError, NotFound

FILE = "project.py"
T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    """An imported project file."""

    file: Path
    module: ModuleType

    @property
    def folder(self) -> Path:
        return self.file.parent

    def all(self, kind: type[T]) -> dict[str, T]:
        """Every definition of a kind in the file, by its own name."""
        found: dict[str, T] = {}
        for value in vars(self.module).values():
            if isinstance(value, kind):
                name: Any = getattr(value, "name")  # noqa: B009 (every definition has one; the type does not say so)
                found[str(name)] = value
        return found

    def one(self, kind: type[T], name: str) -> T:
        """The definition of that name. Raises NotFound, naming those there are."""
        found = self.all(kind)
        if name not in found:
            wanted = ", ".join(sorted(found)) or f"one in {self.file}"
            raise NotFound(f"{kind.__name__.lower()} {name}", wanted=wanted, found="none of that name")
        return found[name]


def load_project(given: Path | None = None) -> Project:
    """Import the project file: `given`, or `project.py` here or in the nearest folder above.

    The file's folder goes onto the import path, so that step processes find the module as well.
    Raises NotFound without a file, InvalidInput naming the line where the file fails.
    """
    file = given.resolve() if given is not None else _nearest()
    if file is None or not file.is_file():
        raise NotFound(
            f"project file {given or FILE}",
            wanted="a Python file of definitions",
            found="none",
            fix="Make one with `mainspring init`.",
        )
    folder, name = str(file.parent), file.stem
    if not name.isidentifier():
        raise InvalidInput(f"project file {file}", wanted="a name that can be imported", found=name)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # Another project of the same name may have been imported by this process before.
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) != str(file):
        del sys.modules[name]
    try:
        return Project(file, importlib.import_module(name))
    except MainspringError:
        raise
    except Exception as error:
        at = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else (at[-1].lineno if at else None)
        where = f"{file}, line {line}" if line else str(file)
        raise InvalidInput(
            where, wanted="a file that can be imported", found=f"{type(error).__name__}: {error}"
        ) from error


def _nearest() -> Path | None:
    here = Path.cwd()
    return next((folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file()), None)
