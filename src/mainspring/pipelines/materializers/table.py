"""`pyarrow.Table` as Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainspring.pipelines.materializers._parquet import read_table, write_table
from mainspring.pipelines.materializers.contract import MaterializerBase


class Materializer(MaterializerBase):
    precedence = 10

    def accepts(self, annotation: Any) -> bool:
        return annotation is pa.Table

    def kind(self, value: Any) -> str:
        return "table"

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        return write_table(value, path)

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        return read_table(path)
