"""`ms.in_order("start", "end")`: in each row the columns' values do not descend."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from mainspring.data.checks.contract import RowCheck, Sql
from mainspring.engines.query.contract import literal
from mainspring.kernel.errors import InvalidInput


@dataclass(frozen=True, init=False)
class InOrder(RowCheck):
    names: tuple[str, ...]

    def __init__(self, *columns: str) -> None:
        if len(columns) < 2:
            raise InvalidInput("in_order", wanted="two or more columns", found=", ".join(columns) or "none")
        object.__setattr__(self, "names", columns)

    @classmethod
    def _from_fields(cls, given: dict[str, Any]) -> Self:
        return cls(*given["names"])

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names

    def describe(self) -> str:
        return " <= ".join(self.columns)

    def fails(self, value: Sql) -> str:
        pairs = (f"coalesce({value(left)} > {value(right)}, FALSE)" for left, right in pairwise(self.columns))
        return f"({' OR '.join(pairs)})"

    def reason(self, value: Sql) -> str:
        found = " || ', ' || ".join(f"coalesce(CAST({value(column)} AS VARCHAR), 'null')" for column in self.columns)
        return f"{literal(f'wanted {self.describe()}, found ')} || {found}"


in_order = InOrder
