"""What every kind of source guarantees.

A source plug-in is a file named after its format, with `SUFFIXES` (of files it reads, lower case)
and `open_source(path, options) -> Source`.

- A source says its columns before any row is read, and may be read more than once, each time alike.
- Rows come in the order of the source, in batches: a bounded number is in memory at a time.
- No record is lost: one that cannot be told apart into values comes as a row with `broken` set.
- Only kernel errors leave: InvalidInput for a file that is not of the format.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mainspring.data.model import ColumnType
from mainspring.kernel import plugins
from mainspring.kernel.errors import InvalidInput

SOURCES = "mainspring.data.sources"
LINE, BROKEN, TEXT = "line", "broken", "text"
"""Where the record begins (1 is the first line of a text file, the first row of others); what is wrong
with a record that has no values; its text. The columns `c0`, `c1`, … follow."""


@dataclass(frozen=True)
class SourceColumn:
    """A column of a source; `type` is None where its values are text that may mean anything."""

    name: str
    type: ColumnType | None


@dataclass(frozen=True)
class SourceOptions:
    """subject     what errors are about, such as "hour.csv".
    encoding    of a text file.
    delimiter   of a text file; None to take what the header line shows.
    """

    subject: str
    encoding: str = "utf-8"
    delimiter: str | None = None


class Source(ABC):
    """An opened source. See the module for what implementations guarantee."""

    columns: tuple[SourceColumn, ...]
    blank_lines: int = 0
    """Lines with nothing in them, known once the rows were read."""

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, as `reader` wraps them."""

    def reader(self) -> pa.RecordBatchReader:
        """Every record once: `line`, `broken`, `text`, then a column per source column, text where its type is None."""
        return pa.RecordBatchReader.from_batches(record_schema(self.arrow_types()), self.batches())

    def arrow_types(self) -> Sequence[pa.DataType]:
        return [pa.string()] * len(self.columns)


def record_schema(types: Sequence[pa.DataType]) -> pa.Schema:
    """The columns of a source's batches."""
    place = [(LINE, pa.int64()), (BROKEN, pa.string()), (TEXT, pa.string())]
    return pa.schema([*place, *((f"c{i}", kind) for i, kind in enumerate(types))])


def format_of(path: str, given: str | None) -> str:
    """The plug-in that reads `path`: the one asked for, else the one that claims the suffix."""
    if given is not None:
        plugins.load(SOURCES, given)
        return given
    suffix = Path(path).suffix.lower()
    claims = {name: plugins.load(SOURCES, name).SUFFIXES for name in plugins.names(SOURCES)}
    for name, suffixes in claims.items():
        if suffix in suffixes:
            return name
    known = ", ".join(sorted(suffix for suffixes in claims.values() for suffix in suffixes))
    raise InvalidInput(
        f"source {Path(path).name}",
        wanted=f"a file ending in one of {known}",
        found=f"the ending {suffix!r}",
        fix=f"Say format= in the dataset: {', '.join(claims)}.",
    )


def checked_names(subject: str, names: Sequence[str]) -> None:
    """Raise InvalidInput where two columns have one name, or names that differ in case only."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        before = seen.setdefault(name.lower(), place)
        if before != place:
            raise InvalidInput(
                f"columns of {subject}",
                wanted="names that differ in more than case",
                found=f"{names[before - 1]!r} (column {before}) and {name!r} (column {place})",
                fix="Rename one in the source.",
            )
