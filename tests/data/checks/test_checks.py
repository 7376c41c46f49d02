"""Every kind of check against plain Python, on random tables; kinds are found, not listed."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data import definitions as ms
from mainspring.data.checks.contract import Check, RowCheck, TableCheck
from mainspring.engines.query.duckdb import open_engine
from mainspring.kernel import plugins

Row = Mapping[str, Any]
NAMES = ["select", 'so "called"', "größe", "a b"]

numbers = st.one_of(st.none(), st.integers(-5, 5))
reals = st.one_of(st.none(), st.floats(-2, 2, allow_nan=False), st.sampled_from([0.0, 1.0, -0.0]))
words = st.sampled_from(["", "a", "B", "ab", "é", "a\nb", "'", '"', "1", "it's", "%", "_"])
texts = st.one_of(st.none(), words)
some_days = st.dates(date(2025, 12, 30), date(2026, 1, 3))
days = st.one_of(st.none(), some_days)
instants = st.one_of(st.none(), st.integers(0, 3).map(lambda h: datetime(2026, 1, 1, h, tzinfo=UTC)))
COLUMNS = {
    "integer": (numbers, pa.int64()),
    "number": (reals, pa.float64()),
    "text": (texts, pa.string()),
    "date": (days, pa.date32()),
    "timestamp": (instants, pa.timestamp("us", "UTC")),
}


def tables(*kinds: str):
    """Tables with one column of each kind under the awkward names, as lists of rows."""
    drawn = st.tuples(*(COLUMNS[kind][0] for kind in kinds))
    return st.lists(drawn, max_size=25).map(lambda rows: [dict(zip(NAMES, row, strict=False)) for row in rows])


def unique_oracle(check: Any, rows: Sequence[Row]) -> list[bool]:
    seen: set[tuple[Any, ...]] = set()
    failing = []
    for row in rows:
        key = tuple(row[name] for name in check.columns)
        failing.append(None not in key and key in seen)
        seen.add(key)
    return failing


def in_order_oracle(check: Any, rows: Sequence[Row]) -> list[bool]:
    def descends(row: Row) -> bool:
        values = [row[name] for name in check.columns]
        pairs = pairwise(values)
        return any(a is not None and b is not None and a > b for a, b in pairs)

    return [descends(row) for row in rows]


def between_oracle(check: Any, rows: Sequence[Row]) -> list[bool]:
    def outside(value: Any) -> bool:
        if value is None:
            return False
        return (check.low is not None and value < check.low) or (check.high is not None and value > check.high)

    return [outside(row[check.column]) for row in rows]


ORACLES = {
    "not_null": lambda check, rows: [row[check.column] is None for row in rows],
    "between": between_oracle,
    "one_of": lambda check, rows: [row[check.column] not in (None, *check.values) for row in rows],
    "unique": unique_oracle,
    "matches": lambda check, rows: [
        row[check.column] is not None and not re.fullmatch(check.pattern, row[check.column], re.DOTALL) for row in rows
    ],
    "in_order": in_order_oracle,
    "row_count": lambda check, rows: not check.at_least <= len(rows) <= (check.at_most or len(rows)),
}
first = NAMES[0]
CASES: list[tuple[tuple[str, ...], Any]] = [
    *(((kind,), st.builds(ms.not_null, st.just(first))) for kind in COLUMNS),
    (("integer",), st.builds(ms.between, st.just(first), st.integers(-3, 0), st.one_of(st.none(), st.integers(0, 3)))),
    (("number",), st.builds(ms.between, st.just(first), st.floats(-1, 0), st.integers(0, 1))),
    (("text",), st.builds(ms.between, st.just(first), st.sampled_from(["", "B", "a"]), st.sampled_from(["a", "é"]))),
    (("date",), st.builds(ms.between, st.just(first), st.none(), st.dates(date(2025, 12, 31), date(2026, 1, 2)))),
    (
        ("timestamp",),
        st.just(ms.between(first, datetime(2026, 1, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC))),
    ),
    (("integer",), st.builds(ms.one_of, st.just(first), st.lists(st.integers(-3, 3), min_size=1))),
    (("text",), st.builds(ms.one_of, st.just(first), st.lists(words, min_size=1))),
    (("date",), st.builds(ms.one_of, st.just(first), st.lists(some_days, min_size=1))),
    (("integer", "text"), st.sampled_from([ms.unique(first), ms.unique(*NAMES[:2]), ms.unique(NAMES[1])])),
    (("number", "date"), st.sampled_from([ms.unique(first), ms.unique(NAMES[1], first)])),
    (("text",), st.builds(ms.matches, st.just(first), st.sampled_from(["a.*", "[A-Z]+", "", ".", "a|B", "'"]))),
    (("integer", "integer", "number"), st.sampled_from([ms.in_order(*NAMES[:2]), ms.in_order(*NAMES[:3])])),
    (("timestamp", "timestamp"), st.just(ms.in_order(*NAMES[:2]))),
    (("integer",), st.builds(ms.row_count, at_least=st.integers(0, 10), at_most=st.integers(10, 20))),
]


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory):
    return open_engine(tmp_path_factory.mktemp("home"))


def as_table(rows: Sequence[Row], kinds: Sequence[str]) -> pa.Table:
    columns = [
        pa.array([row[name] for row in rows], COLUMNS[kind][1]) for name, kind in zip(NAMES, kinds, strict=False)
    ]
    line = pa.array(range(len(rows)), pa.int64())
    return pa.Table.from_arrays([line, *columns], names=["line", *(f"v{i}" for i in range(len(kinds)))])


def failing(query: Any, check: RowCheck, rows: Sequence[Row], kinds: Sequence[str]) -> list[tuple[bool, str | None]]:
    places = {name: f"v{i}" for i, name in enumerate(NAMES)}
    sql = f"""
        SELECT b, CASE WHEN b THEN {check.reason(places.__getitem__)} END AS why
        FROM (SELECT *, coalesce({check.fails(places.__getitem__)}, FALSE) AS b FROM rows) ORDER BY line
    """
    found = query.table(sql, {"rows": as_table(rows, kinds)})
    return list(zip(found.column("b").to_pylist(), found.column("why").to_pylist(), strict=True))


def test_every_kind_has_cases_and_an_oracle():
    kinds = set(plugins.names(ms.CHECKS))
    assert kinds == set(ORACLES)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_check_finds_what_plain_python_finds(query, case):
    kinds, checks = CASES[case]

    @settings(max_examples=40, deadline=None)
    @given(rows=tables(*kinds), check=checks)
    def agree(rows: list[Row], check: Check) -> None:
        wanted = ORACLES[check.kind](check, rows)
        if isinstance(check, TableCheck):
            watch = check.watch()
            for batch in as_table(rows, kinds).to_batches(max_chunksize=7):
                watch.see(batch)
            assert (watch.found() is not None) == wanted
        else:
            assert isinstance(check, RowCheck)
            found = failing(query, check, rows, kinds)
            assert [fails for fails, _ in found] == wanted
            assert all(why for fails, why in found if fails)

    agree()


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_check_comes_back_from_its_canonical_form_and_says_what_it_is(case):
    @settings(max_examples=20, deadline=None)
    @given(check=CASES[case][1])
    def comes_back(check: Check) -> None:
        again = ms.rule_from_json(check.to_json())
        assert again == check
        assert hash(again) == hash(check)
        assert check.describe()
        assert set(check.needs()) <= set(check.columns)

    comes_back()


@pytest.mark.parametrize("kind", plugins.names(ms.CHECKS))
def test_a_check_is_a_name_users_have_and_carries_its_own(kind):
    import mainspring

    assert getattr(mainspring, kind) is getattr(ms, kind)
    made = getattr(plugins.load(ms.CHECKS, kind), kind)
    assert Path(made.__module__.replace(".", "/")).name == kind
