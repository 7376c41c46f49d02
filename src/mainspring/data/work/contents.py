"""Digests of rows that depend on values and their order alone: not on files, batches or nulls' padding.

Per column three running sha-256: which values are there, their lengths (texts), their bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.data.model import ColumnType

_ZERO: dict[ColumnType, pa.Scalar] = {
    "integer": pa.scalar(0, pa.int64()),
    "number": pa.scalar(0.0, pa.float64()),
    "boolean": pa.scalar(0, pa.uint8()),
    "date": pa.scalar(0, pa.int32()),
    "timestamp": pa.scalar(0, pa.int64()),
    "text": pa.scalar("", pa.string()),
}


class Contents:
    """Sees rows in batches; `digests` is the same however they were batched."""

    def __init__(self, types: Sequence[ColumnType]) -> None:
        self._types = types
        self._running = [(hashlib.sha256(), hashlib.sha256(), hashlib.sha256()) for _ in types]

    def see(self, batch: pa.RecordBatch) -> None:
        for column, kind, (there, lengths, values) in zip(batch.columns, self._types, self._running, strict=True):
            there.update(_bytes(column.is_valid().to_numpy(zero_copy_only=False)))
            filled = pc.fill_null(_as_numbers(column, kind), _ZERO[kind])
            if kind == "text":
                size, data = _text_parts(filled)
                lengths.update(_bytes(size))
                values.update(data)
            else:
                values.update(_bytes(filled.to_numpy(zero_copy_only=False)))

    def digests(self) -> list[list[str]]:
        return [[running.hexdigest() for running in column] for column in self._running]


def _bytes(values: np.ndarray) -> memoryview:
    return np.ascontiguousarray(values).data


def _as_numbers(column: pa.Array, kind: ColumnType) -> pa.Array:
    match kind:
        case "boolean":
            return column.cast(pa.uint8())
        case "date":
            return column.view(pa.int32())
        case "timestamp":
            return column.view(pa.int64())
        case _:
            return column


def _text_parts(column: pa.Array) -> tuple[np.ndarray, memoryview]:
    """Lengths in bytes as int64, and the bytes of all values one after another."""
    _, offsets, data = column.buffers()
    if not len(column) or data is None:
        return np.zeros(len(column), dtype=np.int64), memoryview(b"")
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return np.diff(ends).astype(np.int64), memoryview(data)[int(ends[0]) : int(ends[-1])]
