"""What the user writes about data: `ms.dataset`, times and checks. Pure.

>>> demand = dataset("bike_demand", source="hour.csv", time=date("dteday") + hours("hr"), drop=["casual"])
>>> demand.time.columns
('dteday', 'hr')

Checks (`ms.not_null`, `ms.between`, …) are plug-ins in `data/checks`, one file each; they are names
of this module without being listed in it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from mainspring.data.model import ColumnType, Family, checked_dataset_name, column_type
from mainspring.kernel import plugins
from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import InvalidInput

CHECKS = "mainspring.data.checks"
READING = 1
"""Raised when the same definition would read the same bytes into other rows than before."""

TermKind = Literal["date", "timestamp", "days", "hours", "minutes", "seconds"]


class Rule(Protocol):
    """What a definition needs of a check; see `data.checks.contract` for the whole."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def needs(self) -> Mapping[str, Family]: ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Term:
    """A column that is, or adds to, a point in time."""

    kind: TermKind
    column: str


@dataclass(frozen=True)
class Time:
    """A point in time made of columns: a day or a moment, plus spans. Without a zone it is taken as UTC."""

    start: Term
    spans: tuple[Term, ...] = ()

    def __add__(self, other: Span) -> Time:
        return Time(self.start, (*self.spans, other.term))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.start.column, *(span.column for span in self.spans))

    def needs(self) -> Mapping[str, Family]:
        start: Family = "date" if self.start.kind == "date" else "timestamp"
        return {self.start.column: start, **{span.column: "numeric" for span in self.spans}}

    def to_json(self) -> list[list[str]]:
        return [[term.kind, term.column] for term in (self.start, *self.spans)]


@dataclass(frozen=True)
class Span:
    """A length of time held by a column; may be fractional or negative."""

    term: Term


def date(column: str) -> Time:
    """The start of the day in `column`."""
    return Time(Term("date", column))


def timestamp(column: str) -> Time:
    """The moment in `column`, ISO 8601; without an offset it is taken as UTC."""
    return Time(Term("timestamp", column))


def days(column: str) -> Span:
    return Span(Term("days", column))


def hours(column: str) -> Span:
    return Span(Term("hours", column))


def minutes(column: str) -> Span:
    return Span(Term("minutes", column))


def seconds(column: str) -> Span:
    return Span(Term("seconds", column))


@dataclass(frozen=True)
class Dataset:
    """A named source of rows, how to read it and what must be true of it. Made by `dataset`."""

    name: str
    source: str
    time: Time | None = None
    drop: tuple[str, ...] = ()
    types: tuple[tuple[str, ColumnType], ...] = ()
    checks: tuple[Rule, ...] = ()
    max_quarantine: float = 0.05
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ("",)
    format: str | None = None
    delimiter: str | None = None
    description: str = ""
    folder: str | None = field(default=None, compare=False, repr=False)
    """What `source` is relative to: the folder of the file that defines the dataset. Not part of the definition."""

    @property
    def path(self) -> Path:
        """The source's place on this machine."""
        return Path(self.folder or ".") / Path(self.source).expanduser()

    @property
    def named_columns(self) -> dict[str, str]:
        """Every column the definition names, with where it names it."""
        named = dict.fromkeys(self.drop, "drop")
        named |= {column: "types" for column, _ in self.types}
        named |= {column: "checks" for check in self.checks for column in check.columns}
        return named | dict.fromkeys(self.time.columns if self.time else (), "time")

    def to_json(self) -> dict[str, Any]:
        """The canonical form: equal definitions give equal JSON, and `from_json` gives the definition back."""
        return {
            "kind": "dataset",
            "name": self.name,
            "source": self.source,
            "time": self.time.to_json() if self.time else None,
            "drop": list(self.drop),
            "types": dict(self.types),
            "checks": [check.to_json() for check in self.checks],
            "max_quarantine": self.max_quarantine,
            "encoding": self.encoding,
            "missing": list(self.missing),
            "format": self.format,
            "delimiter": self.delimiter,
            "description": self.description,
        }

    @property
    def digest(self) -> str:
        """sha-256 of the canonical form."""
        return digest(self.to_json())

    @property
    def reading_digest(self) -> str:
        """sha-256 of what decides how bytes become rows: not the name, place or description."""
        how = {k: v for k, v in self.to_json().items() if k not in ("name", "source", "description")}
        return digest({**how, "suffix": Path(self.source).suffix.lower(), "reading": READING})


def dataset(
    name: str,
    *,
    source: str | Path,
    time: Time | str | None = None,
    drop: Iterable[str] = (),
    types: Mapping[str, str | type] = {},
    checks: Iterable[Rule] = (),
    max_quarantine: float = 0.05,
    encoding: str = "utf-8",
    missing: Iterable[str] = ("",),
    format: str | None = None,
    delimiter: str | None = None,
    description: str = "",
) -> Dataset:
    """Declare a dataset.

    source          a file; relative to the folder of the file that declares the dataset.
    time            when a row happened; becomes the column `event_time`, in UTC. A text names a
                    timestamp column.
    drop            columns read (checks may use them) but not kept.
    types           column to integer, number, boolean, date, timestamp or text (SQL and Python types are
                    understood); others follow from checks and time, the version before, or the values.
    checks          rules for rows and for the whole; a row that breaks one is quarantined with the reason.
    max_quarantine  the largest share of rows, 0 to 1, that may be quarantined; above it nothing is ingested.
    missing         texts that mean "no value", beside the empty one.
    format          the source's plug-in, where the file's suffix does not tell.
    delimiter       of a text file, where the header line does not tell.
    Raises          InvalidInput.
    """
    defined_in = sys._getframe(1).f_globals.get("__file__")
    return _checked(
        Dataset(
            name=name,
            source=str(source),
            time=timestamp(time) if isinstance(time, str) else time,
            drop=_texts(name, "drop", drop),
            types=tuple(sorted((column, column_type(given)) for column, given in types.items())),
            checks=tuple(checks),
            max_quarantine=float(max_quarantine),
            encoding=encoding,
            missing=tuple(dict.fromkeys(("", *_texts(name, "missing", missing)))),
            format=format,
            delimiter=delimiter,
            description=description,
            folder=str(Path(defined_in).resolve().parent) if defined_in else str(Path.cwd()),
        )
    )


def from_json(fields: Mapping[str, Any], *, folder: str | None = None) -> Dataset:
    """The definition whose canonical form `fields` is. Raises InvalidInput, NotFound (an unknown check)."""
    try:
        return _checked(
            Dataset(
                name=fields["name"],
                source=fields["source"],
                time=_time_from_json(fields["time"]) if fields.get("time") else None,
                drop=tuple(fields.get("drop", ())),
                types=tuple(sorted((column, column_type(given)) for column, given in fields.get("types", {}).items())),
                checks=tuple(rule_from_json(check) for check in fields.get("checks", ())),
                max_quarantine=float(fields.get("max_quarantine", 0.05)),
                encoding=fields.get("encoding", "utf-8"),
                missing=tuple(fields.get("missing", ("",))),
                format=fields.get("format"),
                delimiter=fields.get("delimiter"),
                description=fields.get("description", ""),
                folder=folder,
            )
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput("dataset definition", wanted="its canonical JSON", found=f"{error!r}") from error


def rule_from_json(fields: Mapping[str, Any]) -> Rule:
    """The check whose canonical form `fields` is."""
    module = plugins.load(CHECKS, str(fields["check"]))
    rule: Rule = getattr(module, str(fields["check"])).from_json(fields)
    return rule


def _time_from_json(terms: list[list[str]]) -> Time:
    made = []
    for kind, column in terms:
        if kind not in get_args(TermKind):
            raise InvalidInput("time", wanted="one of " + ", ".join(get_args(TermKind)), found=repr(kind))
        made.append(Term(kind, column))  # type: ignore[arg-type]  # narrowed by the line above, which mypy cannot see
    return Time(made[0], tuple(made[1:]))


def _texts(name: str, what: str, given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise InvalidInput(f"{what} of dataset {name}", wanted="a list", found=repr(given), fix=f"Write [{given!r}].")
    return tuple(given)


def _checked(made: Dataset) -> Dataset:
    checked_dataset_name(made.name)
    if not 0 <= made.max_quarantine <= 1:
        found = f"{made.max_quarantine:g}"
        raise InvalidInput(f"max_quarantine of dataset {made.name}", wanted="a share from 0 to 1", found=found)
    if not made.source:
        raise InvalidInput(f"source of dataset {made.name}", wanted="a file", found="nothing")
    for check in made.checks:
        if not hasattr(check, "needs"):
            found = f"{check!r} of type {type(check).__name__}"
            raise InvalidInput(f"checks of dataset {made.name}", wanted="checks such as ms.not_null", found=found)
    return made


def __getattr__(name: str) -> Any:
    """Checks by their plug-in's name: `definitions.between` is the constructor in `data/checks/between.py`."""
    if not name.startswith("_") and name in plugins.names(CHECKS):
        return getattr(plugins.load(CHECKS, name), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
