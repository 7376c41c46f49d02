"""What every query engine guarantees.

- A query sees its named inputs and nothing else: no other file, no network, no Python variable, no
  state of an earlier query; nothing is downloaded and nothing persists.
- Results are Arrow and streamed: inputs and results may be larger than memory. Rows come in the
  order of the inputs where the SQL does not change it.
- An input that is a reader is read once. What it raises leaves the query as it was raised.
- Text compares by code point, times are in UTC, the same on every machine.
- A vendor's exception never leaves: InvalidInput (SQL that is wrong), EngineUnavailable (no memory
  or no room to spill into), Corrupt (a file that cannot be read).
- Engines are safe to use from several threads.

SQL is ours, never a user's; names and values that come from users go through `identifier` and
`literal`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mainspring.kernel.errors import InvalidInput

if TYPE_CHECKING:
    # Definitions spell constants with `literal`; they must stay light.
    import pyarrow as pa

Input: TypeAlias = "pa.RecordBatchReader | pa.Table | Sequence[Path]"
"""Rows as a stream, as a table, or as local Parquet files of one home, in order."""


class Query(ABC):
    """Runs SQL over Arrow and Parquet. See the module for what implementations guarantee."""

    @abstractmethod
    def stream(
        self, sql: str, inputs: Mapping[str, Input], *, batch_rows: int = 1 << 16
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """The result in batches of at most `batch_rows`, computed as it is read, until the context is left."""

    def table(self, sql: str, inputs: Mapping[str, Input]) -> pa.Table:
        """The whole result."""
        with self.stream(sql, inputs) as reader:
            return reader.read_all()

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Kind and limits, for `doctor`."""


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier, whatever characters it has.

    >>> print(identifier('a "name" of 3 words'))
    "a ""name"" of 3 words"
    """
    if "\0" in name or not name:
        raise InvalidInput("name", wanted="at least one character and no NUL", found=repr(name))
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | float | bool | date | datetime | None) -> str:
    """`value` as an SQL literal. Raises InvalidInput for NaN, infinities and other types.

    >>> literal("it's"), literal(1.5), literal(None)
    ("'it''s'", '1.5e0', 'NULL')
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(int(value))
        case float() if math.isfinite(value):
            # An exponent makes it a DOUBLE; "1.5" alone would be a DECIMAL and compare by other rules.
            text = repr(float(value))
            return text if "e" in text else text + "e0"
        case str() if "\0" not in value:
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat(sep=' ')}'"
        case date():
            return f"DATE '{value.isoformat()}'"
    raise InvalidInput("value in a query", wanted="text, a finite number, a date, a time or None", found=repr(value))
