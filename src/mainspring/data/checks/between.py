"""`ms.between("temp", 0, 1)`: values from low to high, both included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.data.checks.contract import RowCheck, Sql, Value, family_of, shown
from mainspring.data.model import Family
from mainspring.engines.query.contract import literal
from mainspring.kernel.errors import InvalidInput


@dataclass(frozen=True)
class Between(RowCheck):
    """Bounds are numbers, dates, times or texts (compared by code point); None leaves a side open."""

    column: str
    low: Value | None = None
    high: Value | None = None

    def __post_init__(self) -> None:
        subject = f"between {self.column}"
        if not self._bounds:
            raise InvalidInput(subject, wanted="a low or a high bound", found="neither")
        if family_of(self._bounds, subject) == "boolean":
            raise InvalidInput(subject, wanted="bounds with an order", found="booleans", fix="Use ms.one_of.")
        for bound in self._bounds:
            literal(bound)

    @property
    def _bounds(self) -> tuple[Value, ...]:
        return tuple(bound for bound in (self.low, self.high) if bound is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def needs(self) -> Mapping[str, Family]:
        return {self.column: family_of(self._bounds, f"between {self.column}")}

    @property
    def _range(self) -> str:
        if self.high is None:
            return f"at least {shown(self.low)}" if self.low is not None else ""
        return f"at most {shown(self.high)}" if self.low is None else f"{shown(self.low)} to {shown(self.high)}"

    def describe(self) -> str:
        return f"{self.column} {self._range}"

    def fails(self, value: Sql) -> str:
        column = value(self.column)
        below = "FALSE" if self.low is None else f"{column} < {literal(self.low)}"
        above = "FALSE" if self.high is None else f"{column} > {literal(self.high)}"
        return f"({below} OR {above})"

    def reason(self, value: Sql) -> str:
        return f"{literal(f'{self.column}: wanted {self._range}, found ')} || CAST({value(self.column)} AS VARCHAR)"


between = Between
