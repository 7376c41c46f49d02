"""`ms.unique("id")`, `ms.unique("day", "hour")`: no two rows share the values.

The first row in source order keeps them; later ones fail. Rows with a missing value in one of the
columns equal no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from mainspring.data.checks.contract import RowCheck, Sql
from mainspring.engines.query.contract import literal
from mainspring.kernel.errors import InvalidInput


@dataclass(frozen=True, init=False)
class Unique(RowCheck):
    names: tuple[str, ...]
    sees_other_rows: ClassVar[bool] = True

    def __init__(self, *columns: str) -> None:
        if not columns or len(set(columns)) != len(columns):
            raise InvalidInput("unique", wanted="one or more columns, each once", found=", ".join(columns) or "none")
        object.__setattr__(self, "names", columns)

    @classmethod
    def _from_fields(cls, given: dict[str, Any]) -> Self:
        return cls(*given["names"])

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names

    def describe(self) -> str:
        return f"{', '.join(self.columns)} unique"

    def fails(self, value: Sql) -> str:
        keys = [value(column) for column in self.columns]
        present = " AND ".join(f"{key} IS NOT NULL" for key in keys)
        return f"({present} AND row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY line) > 1)"

    def reason(self, value: Sql) -> str:
        found = " || ', ' || ".join(f"CAST({value(column)} AS VARCHAR)" for column in self.columns)
        text = literal(", ".join(self.columns) + ": wanted to be unique, found again ")
        return f"{text} || {found}"


unique = Unique
