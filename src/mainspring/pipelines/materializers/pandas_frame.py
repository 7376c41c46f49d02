"""`pandas.DataFrame` as Parquet with its index, where pandas is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainspring.kernel.errors import InvalidInput, MissingExtra
from mainspring.pipelines.materializers._parquet import is_frame, read_table, write_table
from mainspring.pipelines.materializers.contract import MaterializerBase


class Materializer(MaterializerBase):
    precedence = 20

    def accepts(self, annotation: Any) -> bool:
        return is_frame(annotation, "pandas", "DataFrame")

    def kind(self, value: Any) -> str:
        return "table"

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        try:
            return write_table(pa.Table.from_pandas(value), path)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            fix = "Give the column one type."
            raise InvalidInput("data frame", wanted="columns Arrow can hold", found=str(error), fix=fix) from error

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        try:
            return read_table(path).to_pandas()
        except ImportError as error:
            raise MissingExtra("data frame", wanted="pandas", found="none installed", fix="Install pandas.") from error
