"""`polars.DataFrame` as Parquet, where polars is installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import MissingExtra
from mainspring.pipelines.materializers._parquet import is_frame, read_table, write_table
from mainspring.pipelines.materializers.contract import MaterializerBase


class Materializer(MaterializerBase):
    precedence = 20

    def accepts(self, annotation: Any) -> bool:
        return is_frame(annotation, "polars", "DataFrame")

    def kind(self, value: Any) -> str:
        return "table"

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        return write_table(value.to_arrow(), path)

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        try:
            polars = importlib.import_module("polars")
        except ImportError as error:
            raise MissingExtra("data frame", wanted="polars", found="none installed", fix="Install polars.") from error
        return polars.from_arrow(read_table(path))
