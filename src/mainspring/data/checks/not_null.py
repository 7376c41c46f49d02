"""`ms.not_null("cnt")`: every row has a value."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.data.checks.contract import RowCheck, Sql
from mainspring.engines.query.contract import literal


@dataclass(frozen=True)
class NotNull(RowCheck):
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def describe(self) -> str:
        return f"{self.column} not null"

    def fails(self, value: Sql) -> str:
        return f"{value(self.column)} IS NULL"

    def reason(self, value: Sql) -> str:
        return literal(f"{self.column}: is null")


not_null = NotNull
