"""Which type each column has, and the SQL that turns its text into a value of the type.

A cast gives NULL for text that is not of the type. It is stricter than the engine's own, which
rounds '1.5' to the integer 2, takes 'inf' for a number and 'epoch' for a date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mainspring.data.definitions import Dataset
from mainspring.data.model import COLUMN_TYPES, EVENT_TIME, MEMBERS, Column, ColumnType, Family
from mainspring.data.sources.contract import SourceColumn
from mainspring.engines.query.contract import Query, literal
from mainspring.kernel.errors import InvalidInput, SchemaMismatch

INFERRED_SHARE = 0.99
"""A column gets the narrowest type that at least this share of its values has; the rest are quarantined."""
_INFERRED: tuple[ColumnType, ...] = ("integer", "number", "boolean", "date", "timestamp")

ARROW: Mapping[ColumnType, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}
IN_WORDS: Mapping[ColumnType, str] = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2026-01-31",
    "timestamp": "a time such as 2026-01-31T12:00:00Z",
    "text": "text",
}
_DAY = r"\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}"


@dataclass(frozen=True)
class Reading:
    """A source column and the type its values are read as; `text` says that the source gives text."""

    position: int
    name: str
    type: ColumnType
    text: bool

    @property
    def raw(self) -> str:
        """SQL of what the source gave, NULL where missing."""
        return f"t{self.position}"

    @property
    def value(self) -> str:
        """SQL of the typed value."""
        return f"v{self.position}"


def present(position: int, missing: Sequence[str]) -> str:
    """SQL of a text column with the marks for "no value" turned into NULL."""
    marks = ", ".join(literal(mark) for mark in missing)
    return f"CASE WHEN c{position} IN ({marks}) THEN NULL ELSE c{position} END"


def cast(column: Reading) -> str:
    """SQL of the column's value as its type, from `raw`."""
    if column.text:
        return _cast_text(column.raw, column.type)
    if column.type == "number":
        number = f"CAST({column.raw} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    return column.raw


def _cast_text(raw: str, kind: ColumnType) -> str:
    match kind:
        case "integer":
            # The first branch is the usual one and needs no pattern.
            return (
                f"CASE WHEN CAST(TRY_CAST({raw} AS BIGINT) AS VARCHAR) = {raw} THEN TRY_CAST({raw} AS BIGINT) "
                f"WHEN regexp_full_match({raw}, '\\s*[+-]?[0-9]+(\\.0*)?\\s*') "
                f"THEN TRY_CAST(trim(split_part({raw}, '.', 1)) AS BIGINT) END"
            )
        case "number":
            plain = f"NOT contains({raw}, '_') AND isfinite(TRY_CAST({raw} AS DOUBLE))"
            return f"CASE WHEN {plain} THEN TRY_CAST({raw} AS DOUBLE) END"
        case "boolean":
            word = f"lower(trim({raw}))"
            return (
                f"CASE WHEN {word} IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
                f"WHEN {word} IN ('false', 'f', 'no', 'n', '0') THEN FALSE END"
            )
        case "date":
            return f"CASE WHEN regexp_full_match({raw}, '{_DAY}\\s*') THEN TRY_CAST(trim({raw}) AS DATE) END"
        case "timestamp":
            return f"CASE WHEN regexp_matches({raw}, '^{_DAY}') THEN TRY_CAST(trim({raw}) AS TIMESTAMPTZ) END"
        case "text":
            return raw


def _narrowest(raw: str) -> str:
    """SQL of the narrowest type a text was surely written for, as its place in `_INFERRED`; NULL for other text.

    Narrower than `cast`: digits with zeros in front are a code (a postcode, an account), and 0 and
    1 are numbers.
    """
    coded = f"(left({raw}, 1) = '0' AND regexp_matches({raw}, '^0[0-9]'))"
    conditions = (
        f"CAST(TRY_CAST({raw} AS BIGINT) AS VARCHAR) = {raw}",
        f"isfinite(TRY_CAST({raw} AS DOUBLE)) AND NOT contains({raw}, '_') AND NOT {coded}",
        f"lower(trim({raw})) IN ('true', 'false')",
        f"({_cast_text(raw, 'date')}) IS NOT NULL",
        f"({_cast_text(raw, 'timestamp')}) IS NOT NULL",
    )
    return f"CASE {' '.join(f'WHEN {condition} THEN {i}' for i, condition in enumerate(conditions))} END"


def resolve(
    dataset: Dataset,
    subject: str,
    columns: Sequence[SourceColumn],
    previous: Sequence[Column],
    source: pa.RecordBatchReader,
    query: Query,
) -> tuple[Reading, ...]:
    """The type of every column: as declared, as checks and time need, as before, or inferred from `source`.

    Raises InvalidInput for a column the definition names and the source lacks, or that it needs as
    two types; SchemaMismatch for a column of the version before that is gone.
    """
    names = [column.name for column in columns]
    require_columns(dataset, subject, names, previous)
    declared = dict(dataset.types)
    before = {column.name: column.type for column in previous}
    known: dict[str, ColumnType] = {}
    open_: dict[str, tuple[ColumnType, ...]] = {}
    needed = _needed(dataset, known_types=declared)
    for column in columns:
        allowed = needed.get(column.name)
        if column.name in declared:
            known[column.name] = declared[column.name]
        elif before.get(column.name) in (allowed or COLUMN_TYPES):
            known[column.name] = before[column.name]
        elif column.type is not None and (allowed is None or column.type in allowed):
            known[column.name] = column.type
        elif allowed is not None and len(allowed) == 1:
            known[column.name] = allowed[0]
        else:
            open_[column.name] = allowed or ()
    texts = {column.name: i for i, column in enumerate(columns)}
    known |= _inferred(open_, texts, dataset.missing, source, query)
    return tuple(
        Reading(i, column.name, known[column.name], text=_is_text(subject, column, known[column.name]))
        for i, column in enumerate(columns)
    )


def _is_text(subject: str, column: SourceColumn, wanted: ColumnType) -> bool:
    """Whether the value is cast from text; typed sources are cast only between numbers, and from text."""
    if column.type in (None, "text"):
        return wanted != "text" or column.type is None
    if column.type == wanted or (column.type, wanted) == ("integer", "number"):
        return False
    raise SchemaMismatch(
        f"column {column.name!r} of {subject}", wanted=IN_WORDS[wanted], found=f"the type {column.type} in the file"
    )


def require_columns(dataset: Dataset, subject: str, names: Sequence[str], previous: Sequence[Column]) -> None:
    there = set(names)
    for name, where in dataset.named_columns.items():
        if name not in there and name != EVENT_TIME:
            raise InvalidInput(
                f"column {name!r} of {subject}",
                wanted=f"a column of that name, which {where}= of dataset {dataset.name} uses",
                found="the columns " + ", ".join(names),
                fix="Correct the definition, or the source's header.",
            )
    gone = [c.name for c in previous if c.name not in there and c.name != EVENT_TIME]
    if gone:
        raise SchemaMismatch(
            f"columns of {subject}",
            wanted=f"{', '.join(map(repr, gone))}, as in the version before",
            found="the columns " + ", ".join(names),
            fix="Correct the source, or drop the column in the definition first.",
        )


def _needed(dataset: Dataset, known_types: Mapping[str, ColumnType]) -> dict[str, tuple[ColumnType, ...]]:
    """The types that checks and time allow each column. Raises InvalidInput where none is left."""
    wants: list[tuple[str, Family, str]] = []
    if dataset.time is not None:
        wants += [(name, family, "time") for name, family in dataset.time.needs().items()]
    for check in dataset.checks:
        wants += [(name, family, getattr(check, "kind", "a check")) for name, family in check.needs().items()]
    allowed: dict[str, tuple[ColumnType, ...]] = {}
    for name, family, why in wants:
        before = allowed.get(name, COLUMN_TYPES)
        left = tuple(kind for kind in before if kind in MEMBERS[family])
        if not left or (name in known_types and known_types[name] not in MEMBERS[family]):
            found = known_types.get(name) or " or ".join(before)
            raise InvalidInput(
                f"column {name!r} of dataset {dataset.name}", wanted=f"{family} for {why}", found=f"{found} elsewhere"
            )
        allowed[name] = left
    return allowed


def _inferred(
    open_: Mapping[str, tuple[ColumnType, ...]],
    positions: Mapping[str, int],
    missing: Sequence[str],
    source: pa.RecordBatchReader,
    query: Query,
) -> dict[str, ColumnType]:
    """One pass over the source: for each column, how many of its values are of each type it may have.

    A column that a check or the time wants to be of one of two types (`open_` says which) is tested
    by what can be cast to them; one of which nothing is known, by what its values look like.
    """
    if not open_:
        return {}
    inner, counts = [], []
    for name, allowed in open_.items():
        raw = f"t{positions[name]}"
        inner.append(f"{present(positions[name], missing)} AS {raw}")
        counts.append(f"count({raw})")
        if allowed:
            counts += [f"count({_cast_text(raw, kind)})" for kind in allowed]
        else:
            counts += [f"count(*) FILTER (k{raw} = {i})" for i in range(len(_INFERRED))]
    looks = [
        "t.*",
        *(f"{_narrowest(f't{positions[n]}')} AS kt{positions[n]}" for n, kinds in open_.items() if not kinds),
    ]
    sql = f"SELECT {', '.join(counts)} FROM (SELECT {', '.join(looks)} FROM (SELECT {', '.join(inner)} FROM source) t)"
    row = query.table(sql, {"source": source})
    values = iter([column[0].as_py() for column in row.columns])
    found: dict[str, ColumnType] = {}
    for name, allowed in open_.items():
        filled = next(values)
        kinds = allowed or _INFERRED
        hits = {kind: next(values) for kind in kinds}
        if not allowed:
            # Every whole number is a number, and every day a time.
            hits["number"] += hits["integer"]
            hits["timestamp"] += hits["date"]
        fits = [kind for kind in kinds if filled and hits[kind] >= INFERRED_SHARE * filled]
        found[name] = fits[0] if fits else (allowed[-1] if allowed else "text")
    return found
