"""What a user writes, and its canonical form."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.data import definitions as ms
from mainspring.data.model import column_type
from mainspring.kernel import plugins
from mainspring.kernel.errors import InvalidInput, NotFound

FULL = ms.dataset(
    "bikes",
    source="hour.csv",
    time=ms.date("dteday") + ms.hours("hr") + ms.minutes("m"),
    drop=["casual", 'so "quoted"'],
    types={"cnt": int, "temp": "DOUBLE", "note": "text"},
    checks=[
        ms.not_null("cnt"),
        ms.between("temp", 0, 1.5),
        ms.between("dteday", date(2011, 1, 1)),
        ms.between("seen", high=datetime(2026, 1, 1, tzinfo=UTC)),
        ms.one_of("season", [1, 2, 3, 4]),
        ms.unique("dteday", "hr"),
        ms.matches("note", "[a-z]+"),
        ms.in_order("start", "end"),
        ms.row_count(at_least=10, at_most=100),
    ],
    max_quarantine=0.1,
    encoding="latin-1",
    missing=["NA"],
    description="Bikes.",
)


def test_a_definition_comes_back_from_its_canonical_form():
    assert ms.from_json(FULL.to_json()) == FULL
    assert ms.from_json(FULL.to_json()).digest == FULL.digest


def test_every_kind_of_check_stands_in_the_test_above():
    assert {check.to_json()["check"] for check in FULL.checks} == set(plugins.names(ms.CHECKS))


def test_what_is_said_in_other_words_is_the_same_definition():
    one = ms.dataset("t", source="t.csv", types={"a": int, "b": "double"}, time="at")
    other = ms.dataset(
        "t", source=Path("t.csv"), types={"b": float, "a": "integer"}, time=ms.timestamp("at"), missing=[""]
    )
    assert one == other
    assert one.digest == other.digest


def test_a_description_does_not_change_how_bytes_are_read():
    one, other = (ms.dataset("t", source="t.csv", description=text) for text in ("a", "b"))
    assert one.digest != other.digest
    assert one.reading_digest == other.reading_digest
    assert ms.dataset("t", source="t.csv", drop=["x"]).reading_digest != one.reading_digest


def test_a_relative_source_lies_beside_the_file_that_defines_it():
    assert FULL.path == Path(__file__).resolve().parent / "hour.csv"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_quarantine": 1.5}, "max_quarantine"),
        ({"source": ""}, "source"),
        ({"types": {"a": "complex"}}, "column type"),
        ({"drop": "casual"}, "drop"),
        ({"checks": ["not_null"]}, "checks"),
    ],
)
def test_a_wrong_option_is_named(options, named):
    with pytest.raises(InvalidInput, match=named):
        ms.dataset("t", **{"source": "t.csv", **options})


@pytest.mark.parametrize("name", ["", "a b", "../x", "x/y", "-x", "é", "x" * 65])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InvalidInput, match="dataset name"):
        ms.dataset(name, source="t.csv")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ms.between("a"),
        lambda: ms.between("a", 0, "z"),
        lambda: ms.between("a", float("nan"), 1),
        lambda: ms.between("a", True, False),
        lambda: ms.one_of("a", []),
        lambda: ms.one_of("a", [1, "b"]),
        lambda: ms.unique(),
        lambda: ms.unique("a", "a"),
        lambda: ms.matches("a", "("),
        lambda: ms.matches("a", "(?=x)"),
        lambda: ms.in_order("a"),
        lambda: ms.row_count(at_least=5, at_most=4),
    ],
)
def test_a_check_that_makes_no_sense_is_refused_when_it_is_written(make):
    with pytest.raises(InvalidInput):
        make()


def test_an_unknown_check_is_named_with_those_there_are():
    with pytest.raises(NotFound, match="between"):
        ms.from_json({**FULL.to_json(), "checks": [{"check": "nope"}]})
    with pytest.raises(AttributeError, match="nope"):
        _ = ms.nope


@pytest.mark.parametrize(
    "fields", [{}, {"name": "t"}, {"name": "t", "source": "x", "checks": [{"check": "between", "x": 1}]}]
)
def test_json_that_is_no_definition_is_refused(fields):
    with pytest.raises(InvalidInput):
        ms.from_json(fields)


def test_defining_loads_no_heavy_library():
    code = (
        "import sys; from mainspring.data import definitions as ms;"
        "ms.dataset('t', source='t.csv', time=ms.date('d'), checks=[ms.not_null('a'), ms.row_count(at_least=1)]);"
        "print(sorted({'pyarrow', 'duckdb', 'numpy', 'pandas', 'sqlalchemy', 'deltalake'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@given(st.sampled_from(["integer", "number", "boolean", "date", "timestamp", "text"]))
def test_our_own_type_names_mean_themselves(name):
    assert column_type(name) == name
