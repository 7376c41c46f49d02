"""Which code is installed, and so told apart by the environment lock, and which is the user's own."""

from __future__ import annotations

import functools
import importlib.util
import site
import sys
import sysconfig
from pathlib import Path


@functools.cache
def _roots() -> tuple[str, ...]:
    paths = [sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parents[2])]
    # A virtual environment's Python may live behind links: both spellings occur in co_filename.
    return tuple({str(Path(path)) + "/" for path in paths} | {str(Path(path).resolve()) + "/" for path in paths})


def is_installed_file(filename: str) -> bool:
    return filename.startswith(("<frozen", *_roots()))


@functools.lru_cache(maxsize=4096)
def _installed(name: str, filename: str | None) -> bool:
    if filename is not None:
        return is_installed_file(filename)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    if spec is None:
        return False
    if spec.origin in (None, "built-in", "frozen"):
        places = list(spec.submodule_search_locations or ())
        return not places or is_installed_file(places[0] + "/")
    return is_installed_file(str(spec.origin))


def is_installed(module: str, filename: str | None = None) -> bool:
    """Whether a module (or the code in `filename`, where that is a file) came with an installation.

    `__main__`, notebooks and modules nobody can find are the user's own.
    """
    if filename is not None and not filename.startswith("<"):
        return _installed(module, filename)
    if module in ("__main__", "__mp_main__"):
        return False
    if module in sys.builtin_module_names:
        return True
    loaded = sys.modules.get(module)
    return _installed(module, getattr(loaded, "__file__", None))


def module_label(module: str) -> str:
    """A module's name as it is called when imported: a script run directly goes by its file's name."""
    if module in ("__main__", "__mp_main__"):
        file = getattr(sys.modules.get(module), "__file__", None)
        return Path(file).stem if file else "__main__"
    return module
