"""A dataset's version, which steps take as `pyarrow.Table`: the "file" is the list of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.data.definitions import Dataset
from mainspring.kernel.errors import Corrupt, InvalidInput
from mainspring.pipelines.materializers.contract import MaterializerBase


class Materializer(MaterializerBase):
    precedence = 30

    def accepts(self, annotation: Any) -> bool:
        return annotation is Dataset

    def kind(self, value: Any) -> str:
        return "dataset"

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        raise InvalidInput(
            f"dataset {value.name}",
            wanted="to be a parameter of the pipeline, which fixes its version",
            found="a definition made by a step",
            fix="Give the pipeline a parameter `rows: ms.Dataset` and pass that on.",
        )

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        """The rows of the version in its own order; `path` holds {"files": [...]} with whole paths."""
        files = json.loads(path.read_text())["files"]
        try:
            pieces = [pq.ParquetFile(file).read() for file in files]
        except (pa.ArrowInvalid, OSError) as error:
            raise Corrupt(
                f"dataset version {meta.get('reference', path.name)}", wanted="its files", found=str(error)
            ) from error
        return pa.concat_tables(pieces)
