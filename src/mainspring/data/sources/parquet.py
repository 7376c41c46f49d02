"""Parquet files: typed already; values are checked, and cast only where the definition asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.data.model import ColumnType
from mainspring.data.sources.contract import Source, SourceColumn, SourceOptions, checked_names, record_schema
from mainspring.kernel.errors import InvalidInput

SUFFIXES = (".parquet", ".pq")
_BATCH_ROWS = 1 << 16


def open_source(path: Path, options: SourceOptions) -> Source:
    return ParquetSource(path, options)


class ParquetSource(Source):
    def __init__(self, path: Path, options: SourceOptions) -> None:
        self._path, self._subject = path, options.subject
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowInvalid, OSError) as error:
            found = str(error).partition("\n")[0]
            raise InvalidInput(self._subject, wanted="a Parquet file", found=found) from error
        checked_names(self._subject, schema.names)
        kinds = [_kind(self._subject, field) for field in schema]
        self.columns = tuple(SourceColumn(field.name, kind) for field, (kind, _) in zip(schema, kinds, strict=True))
        self._types = [arrow for _, arrow in kinds]

    def arrow_types(self) -> Sequence[pa.DataType]:
        return self._types

    def batches(self) -> Iterator[pa.RecordBatch]:
        schema = record_schema(self._types)
        done = 0
        try:
            with pq.ParquetFile(self._path) as file:
                for batch in file.iter_batches(_BATCH_ROWS):
                    line = pa.array(np.arange(done + 1, done + batch.num_rows + 1, dtype=np.int64))
                    nothing = pa.nulls(batch.num_rows, pa.string())
                    values = [value.cast(kind) for value, kind in zip(batch.columns, self._types, strict=True)]
                    yield pa.RecordBatch.from_arrays([line, nothing, nothing, *values], schema=schema)
                    done += batch.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            found = f"{str(error).partition(chr(10))[0]} after row {done}"
            raise InvalidInput(self._subject, wanted="a whole Parquet file", found=found) from error


def _kind(subject: str, field: pa.Field) -> tuple[ColumnType, pa.DataType]:
    """Our type for a column and the Arrow type it is read as."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_integer(kind):
        return "integer", pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number", pa.float64()
    if pa.types.is_boolean(kind):
        return "boolean", pa.bool_()
    if pa.types.is_date(kind):
        return "date", pa.date32()
    if pa.types.is_timestamp(kind):
        return "timestamp", pa.timestamp("us", "UTC")
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    ):
        return "text", pa.string()
    raise InvalidInput(
        f"column {field.name!r} of {subject}",
        wanted="numbers, texts, booleans, dates or times",
        found=str(field.type),
        fix="Leave it out of the file, or make it a text.",
    )
