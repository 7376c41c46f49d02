"""`numpy.ndarray` as .npy, without pickled objects."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.kernel.errors import Corrupt, InvalidInput
from mainspring.pipelines.materializers.contract import MaterializerBase


class Materializer(MaterializerBase):
    precedence = 10

    def accepts(self, annotation: Any) -> bool:
        kind = typing.get_origin(annotation) or annotation
        return isinstance(kind, type) and issubclass(kind, np.ndarray)

    def kind(self, value: Any) -> str:
        return "array"

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        if value.dtype.hasobject:
            raise InvalidInput(
                "array", wanted="numbers, booleans, times or text", found="Python objects", fix="Cast it."
            )
        with path.open("wb") as file:
            np.save(file, value, allow_pickle=False)
        return {"shape": list(value.shape), "dtype": str(value.dtype)}

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise Corrupt(f"array {path.name}", wanted="a .npy file", found=str(error)) from error
