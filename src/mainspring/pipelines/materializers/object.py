"""Objects that know their own bytes: models, predictions.

They have `artifact_kind: str`, `to_bytes() -> bytes`, `describe() -> dict` in JSON's types, and the
class method `from_bytes(data) -> Self`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.materializers.contract import MaterializerBase

_PROTOCOL = ("artifact_kind", "to_bytes", "from_bytes", "describe")


class Materializer(MaterializerBase):
    precedence = 10

    def accepts(self, annotation: Any) -> bool:
        return isinstance(annotation, type) and all(hasattr(annotation, name) for name in _PROTOCOL)

    def kind(self, value: Any) -> str:
        return str(value.artifact_kind)

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        path.write_bytes(value.to_bytes())
        kind = type(value)
        return {"class": f"{kind.__module__}:{kind.__qualname__}", **value.describe()}

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        return _class(str(meta.get("class", "")), wanted).from_bytes(path.read_bytes())


def _class(name: str, wanted: Any) -> Any:
    """The class that was written; the wanted one, where that cannot be imported here and is concrete."""
    module, _, qualified = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        found = wanted
        if getattr(wanted, "_is_protocol", False) or not hasattr(wanted, "from_bytes"):
            fix = "Define the class in a module that can be imported."
            raise InvalidInput("stored object", wanted=f"its class {name}", found=str(error), fix=fix) from error
    if not all(hasattr(found, attribute) for attribute in _PROTOCOL):
        raise InvalidInput("stored object", wanted=f"a class with {', '.join(_PROTOCOL)}", found=name)
    return found
