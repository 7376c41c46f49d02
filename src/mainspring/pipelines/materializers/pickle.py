"""Everything else, by cloudpickle: the last resort.

Reading a pickle runs code that is in it, and its bytes may differ between runs although the value
does not. Steps read only what steps of the same project wrote. Prefer tables, arrays, dataclasses
or a class with `to_bytes` and `from_bytes` for whatever is kept.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cloudpickle

from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.materializers.contract import LAST_RESORT, MaterializerBase


class Materializer(MaterializerBase):
    precedence = LAST_RESORT
    is_deterministic = False

    def accepts(self, annotation: Any) -> bool:
        return True

    def kind(self, value: Any) -> str:
        return "object"

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        kind = type(value)
        try:
            path.write_bytes(cloudpickle.dumps(value, protocol=5))
        except Exception as error:  # any class may raise anything from its own pickling
            raise InvalidInput(
                f"value of type {kind.__qualname__}",
                wanted="one that can be stored",
                found=f"{type(error).__name__}: {error}",
                fix="Return a table, an array, simple types, a dataclass, or a class with to_bytes and from_bytes.",
            ) from error
        return {"class": f"{kind.__module__}:{kind.__qualname__}"}

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        try:
            with path.open("rb") as file:
                return pickle.load(file)
        except Exception as error:  # and from its reading
            raise InvalidInput(
                f"stored {meta.get('class', 'object')}",
                wanted="to be read back",
                found=f"{type(error).__name__}: {error}",
                fix="Its class must be importable as it was when it was stored.",
            ) from error
