"""`ms.one_of("season", [1, 2, 3, 4])`: values out of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mainspring.data.checks.contract import RowCheck, Sql, Value, family_of, shown
from mainspring.data.model import Family
from mainspring.engines.query.contract import literal

_SHOWN = 8


@dataclass(frozen=True, init=False)
class OneOf(RowCheck):
    column: str
    values: tuple[Value, ...]

    def __init__(self, column: str, values: Iterable[Value]) -> None:
        object.__setattr__(self, "column", column)
        object.__setattr__(self, "values", tuple(values))
        family_of(self.values, f"one_of {column}")
        for value in self.values:
            literal(value)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def needs(self) -> Mapping[str, Family]:
        return {self.column: family_of(self.values, f"one_of {self.column}")}

    @property
    def _list(self) -> str:
        more = len(self.values) - _SHOWN
        return ", ".join(shown(value) for value in self.values[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

    def describe(self) -> str:
        return f"{self.column} one of {self._list}"

    def fails(self, value: Sql) -> str:
        return f"{value(self.column)} NOT IN ({', '.join(literal(allowed) for allowed in self.values)})"

    def reason(self, value: Sql) -> str:
        text = literal(f"{self.column}: wanted one of {self._list}, found ")
        return f"{text} || CAST({value(self.column)} AS VARCHAR)"


one_of = OneOf
