"""What a version's columns hold, by one query over its files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.data.model import Column
from mainspring.engines.query.contract import Query, identifier
from mainspring.kernel.canonical import plain

PROFILED_ROWS = 1_000_000
"""Of longer versions the first so many rows are profiled: distinct values are counted exactly, in memory."""
TOP = 10
_TEXT_KEPT = 80


def profile(query: Query, paths: Sequence[Path], columns: Sequence[Column]) -> dict[str, Mapping[str, Any]]:
    """Per column: nulls, distinct, min, max; mean and std of numbers; the top values of texts and booleans.

    std is the sample's (n - 1); None where there are fewer than two values. min and max of texts
    are cut to 80 characters.
    """
    parts = [part for i, column in enumerate(columns) for part in _aggregates(i, column)]
    sql = f"SELECT count(*) AS n, {', '.join(parts)} FROM (SELECT * FROM rows LIMIT {PROFILED_ROWS})"
    row = query.table(sql, {"rows": list(paths)}).to_pylist()[0]
    return {column.name: _facts(i, column, row) for i, column in enumerate(columns)}


def _aggregates(i: int, column: Column) -> list[str]:
    name = identifier(column.name)
    bound = f"left({name}, {_TEXT_KEPT})" if column.type == "text" else name
    parts = [
        f"count({name}) AS n{i}",
        f"count(DISTINCT {name}) AS d{i}",
        f"min({bound}) AS lo{i}",
        f"max({bound}) AS hi{i}",
    ]
    if column.type in ("integer", "number"):
        parts += [f"avg({name}) AS mean{i}", f"stddev_samp({name}) AS std{i}"]
    if column.type in ("text", "boolean"):
        # Most frequent first, ties by value, so that a profile never depends on chance.
        entries = (
            f"list_transform(map_entries(histogram({bound})), lambda e: {{'n': -CAST(e.value AS BIGINT), 'v': e.key}})"
        )
        parts.append(f"list_slice(list_sort({entries}), 1, {TOP}) AS top{i}")
    return parts


def _facts(i: int, column: Column, row: Mapping[str, Any]) -> dict[str, Any]:
    facts = {
        "nulls": row["n"] - row[f"n{i}"],
        "distinct": row[f"d{i}"],
        "min": _shown(row[f"lo{i}"]),
        "max": _shown(row[f"hi{i}"]),
    }
    if f"mean{i}" in row:
        facts |= {"mean": _finite(row[f"mean{i}"]), "std": _finite(row[f"std{i}"])}
    if f"top{i}" in row:
        facts["top"] = [[_shown(entry["v"]), -int(entry["n"])] for entry in row[f"top{i}"] or []]
    return facts


def _shown(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") and not hasattr(value, "tzinfo") else plain(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
