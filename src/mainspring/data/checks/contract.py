"""What every kind of check guarantees.

A check is a frozen dataclass in a file of its own, `<kind>.py`, which names it: `kind = Class`. It
turns itself into SQL: it gets each of its columns as an SQL expression of the column's type, and
writes constants through `literal`, so no name or value can break out of the query.

- A row check says of each row whether it fails. A missing value fails no check but `not_null`.
- A table check looks at the good rows as they pass, and says at the end whether the whole holds.
- The same rows in the same order always give the same answer.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mainspring.data.model import Family
from mainspring.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

Sql = Callable[[str], str]
"""Column name to the SQL expression of its typed value."""
Value = str | int | float | bool | date | datetime


class Check(ABC):
    """Base of all kinds. Subclasses are frozen dataclasses whose fields are texts, `Value`s or tuples of them."""

    @property
    def kind(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at."""

    def needs(self) -> Mapping[str, Family]:
        """Types it needs its columns to have; those not named may have any."""
        return {}

    @abstractmethod
    def describe(self) -> str:
        """The rule in a few words, such as "temp between 0 and 1"."""

    def to_json(self) -> dict[str, Any]:
        """The canonical form, which `from_json` turns back into an equal check."""
        fields = {f.name: _tagged(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses
        return {"check": self.kind, **fields}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        given = {name: _untagged(value) for name, value in fields.items() if name != "check"}
        try:
            return cls._from_fields(given)
        except TypeError as error:
            raise InvalidInput(f"check {fields.get('check')}", wanted="its canonical JSON", found=str(error)) from error

    @classmethod
    def _from_fields(cls, given: dict[str, Any]) -> Self:
        return cls(**given)


class RowCheck(Check):
    """A check of each row."""

    sees_other_rows: ClassVar[bool] = False
    """Whether `fails` looks at other rows (window functions): the query then sorts, in bounded memory."""

    @abstractmethod
    def fails(self, value: Sql) -> str:
        """An SQL condition, true where the row breaks the rule; NULL counts as kept. `line` is the row's place."""

    @abstractmethod
    def reason(self, value: Sql) -> str:
        """An SQL text saying what is wrong with a row that fails, such as "temp: wanted 0 to 1, found 7"."""


class TableCheck(Check):
    """A check of all good rows together."""

    @abstractmethod
    def watch(self) -> Watch:
        """A fresh accumulator for one pass over the good rows."""


class Watch(ABC):
    """Sees every good row once, in batches."""

    @abstractmethod
    def see(self, rows: pa.RecordBatch) -> None: ...

    @abstractmethod
    def found(self) -> str | None:
        """None where the rule holds; else what was found instead."""


def family_of(values: tuple[Value, ...], subject: str) -> Family:
    """What a column must be to be compared with `values`. Raises InvalidInput for values of several kinds."""
    families: set[Family] = {_family(value, subject) for value in values}
    if len(families) != 1:
        kinds = ", ".join(sorted(type(value).__name__ for value in values)) or "nothing"
        raise InvalidInput(subject, wanted="values of one kind", found=kinds)
    return families.pop()


def _family(value: Value, subject: str) -> Family:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "numeric"
        case str():
            return "text"
        case date():
            return "temporal"
    raise InvalidInput(subject, wanted="texts, numbers, booleans, dates or times", found=repr(value))


def shown(value: Value) -> str:
    """A constant as people read it."""
    return repr(value) if isinstance(value, str) else str(value)


def _tagged(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_tagged(item) for item in value]
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return {"timestamp": aware.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return value


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_untagged(item) for item in value)
    if isinstance(value, Mapping):
        if "timestamp" in value:
            return datetime.fromisoformat(value["timestamp"])
        return date.fromisoformat(value["date"])
    return value
