"""Tables of any library as Parquet files: what the materializers of tables and frames share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.kernel.errors import Corrupt, InvalidInput

_SHOWN_COLUMNS = 200


def write_table(table: pa.Table, path: Path) -> dict[str, Any]:
    """Write `table` and say what is in it. Raises InvalidInput for types Parquet does not know."""
    try:
        # Values under nulls and padding are not written, so equal tables are equal bytes.
        pq.write_table(table, path, compression="zstd", compression_level=1)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        fix = "Cast or drop the column."
        raise InvalidInput("table", wanted="columns Parquet can hold", found=str(error), fix=fix) from error
    columns = {field.name: str(field.type) for field in list(table.schema)[:_SHOWN_COLUMNS]}
    return {"rows": table.num_rows, "columns": columns}


def read_table(path: Path) -> pa.Table:
    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt(f"table {path.name}", wanted="a Parquet file", found=str(error)) from error


def is_frame(annotation: Any, library: str, name: str) -> bool:
    """Whether the annotation is that class, told without importing a library that may be missing."""
    return (
        isinstance(annotation, type)
        and annotation.__name__ == name
        and annotation.__module__.partition(".")[0] == library
    )
