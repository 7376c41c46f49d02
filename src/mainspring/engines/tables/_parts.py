"""Parquet files named by their sha-256: how rows are cut into files, written and checked.

Where a file ends depends on the rows alone, not on how they were batched when they came, so the
same rows always give the same files.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.engines.tables.contract import DataFile
from mainspring.kernel.errors import Corrupt
from mainspring.kernel.ids import new_id

GROUPS_PER_FILE = 8
MAX_ROWS_PER_GROUP = 1 << 17
VALUES_PER_GROUP = 1 << 22
INCOMING = ".incoming-"


def rows_per_group(schema: pa.Schema) -> int:
    """How many rows are held in memory and written at a time: fewer where there are many columns."""
    return max(1024, min(MAX_ROWS_PER_GROUP, VALUES_PER_GROUP // max(1, len(schema))))


Part = tuple[DataFile, bool]
"""A file, and whether it is new in its folder."""


def write_parts(
    folder: Path, batches: pa.RecordBatchReader, schema: pa.Schema, taken: set[str], *, fsync: bool
) -> list[Part]:
    """Write the rows as files of `folder`, under names not in `taken`. On any error the new ones are removed."""
    written: list[Part] = []
    taken = set(taken)
    try:
        groups = _groups(batches, schema)
        while (part := _write_part(folder, groups, schema, taken, fsync=fsync)) is not None:
            written.append(part)
            taken.add(part[0].path)
    except BaseException:
        for file, is_new in written:
            if is_new:
                (folder / file.path).unlink(missing_ok=True)
        raise
    return written


def _groups(batches: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in pieces of exactly `rows_per_group`, but for the last, each of one chunk."""
    size = rows_per_group(schema)
    held: list[pa.Table] = []
    rows = 0
    for batch in batches:
        piece = pa.Table.from_batches([batch])
        held.append(piece if piece.schema.equals(schema, check_metadata=True) else piece.cast(schema))
        rows += batch.num_rows
        while rows >= size:
            table = pa.concat_tables(held)
            yield table.slice(0, size).combine_chunks()
            held, rows = [table.slice(size)], rows - size
    if rows:
        yield pa.concat_tables(held).combine_chunks()


def _write_part(
    folder: Path, groups: Iterator[pa.Table], schema: pa.Schema, taken: set[str], *, fsync: bool
) -> Part | None:
    first = next(groups, None)
    if first is None:
        return None
    beside = folder / f"{INCOMING}{new_id()}.parquet"
    try:
        with beside.open("wb") as file:
            rows = 0
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for group in itertools.chain([first], itertools.islice(groups, GROUPS_PER_FILE - 1)):
                    writer.write_table(group, row_group_size=group.num_rows)
                    rows += group.num_rows
            file.flush()
            if fsync:
                os.fsync(file.fileno())
        return _settle(folder, beside, rows, taken)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _settle(folder: Path, beside: Path, rows: int, taken: set[str]) -> Part:
    with beside.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # A version may hold the same rows twice, but a Delta version holds a path once.
    names = (f"part-{digest}{'' if n == 0 else f'-{n}'}.parquet" for n in itertools.count())
    place = folder / next(name for name in names if name not in taken)
    is_new = not place.exists()
    size = beside.stat().st_size
    # Renamed even over a file of that name: should that one have rotted, these bytes are the right ones.
    os.replace(beside, place)
    return DataFile(place.name, size, rows, digest), is_new


def read_part(folder: Path, file: DataFile, columns: list[str] | None, *, verify: bool) -> pa.Table:
    """The rows of one file, its bytes checked and parsed from the same mapping."""
    with _mapped(folder, file) as buffer:
        if verify and hashlib.sha256(buffer).hexdigest() != file.sha256:
            raise changed(folder, file)
        try:
            return pq.read_table(pa.BufferReader(buffer), columns=columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise changed(folder, file) from error


@contextlib.contextmanager
def _mapped(folder: Path, file: DataFile) -> Iterator[pa.Buffer]:
    try:
        with (folder / file.path).open("rb") as opened:
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, ValueError) as error:
        raise missing(folder, file) from error
    yield pa.py_buffer(mapped)


def missing(folder: Path, file: DataFile) -> Corrupt:
    return Corrupt(
        f"table file {folder / file.path}",
        wanted=f"{file.size_bytes} bytes with sha-256 {file.sha256}",
        found="no file, or an empty one",
        fix="Restore it from a backup, or ingest the source again.",
    )


def changed(folder: Path, file: DataFile) -> Corrupt:
    return Corrupt(
        f"table file {folder / file.path}",
        wanted=f"bytes with sha-256 {file.sha256}",
        found="other bytes",
        fix="Restore it from a backup, or ingest the source again.",
    )


def read_schema(folder: Path, file: DataFile) -> pa.Schema:
    """The columns of one file, from its footer."""
    try:
        return pq.read_schema(folder / file.path).remove_metadata()
    except FileNotFoundError as error:
        raise missing(folder, file) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise changed(folder, file) from error
