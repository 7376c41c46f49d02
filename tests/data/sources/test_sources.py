"""What every kind of source must do, run over each one found; and how text is split."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainspring.data.sources.contract import SOURCES, Source, SourceOptions, format_of
from mainspring.kernel import plugins
from mainspring.kernel.errors import InvalidInput

ROWS = pa.table({"select": [1, 2, None], 'so "called"': ["x", None, "é"]})


def write(kind: str, place: Path) -> Path:
    match kind:
        case "csv":
            place.write_text('select,"so ""called"""\n1,x\n2,\n,é\n')
        case "parquet":
            pq.write_table(ROWS, place)
        case _:
            pytest.fail(f"say here how a {kind} file with ROWS is made")
    return place


@pytest.fixture(params=plugins.names(SOURCES))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    opened: Source = plugins.load(SOURCES, request.param).open_source(
        write(request.param, tmp_path / "x"), SourceOptions("x")
    )
    return opened


def test_columns_are_known_before_any_row_is_read(source):
    assert [column.name for column in source.columns] == ["select", 'so "called"']


def test_every_record_comes_once_in_order_with_its_place(source):
    rows = source.reader().read_all()
    assert rows.column_names == ["line", "broken", "text", "c0", "c1"]
    first = rows.column("line")[0].as_py()
    assert rows.column("line").to_pylist() == [first, first + 1, first + 2]
    values = [
        [None if value in ("", None) else str(value) for value in rows.column(f"c{i}").to_pylist()] for i in (0, 1)
    ]
    assert values == [["1", "2", None], ["x", None, "é"]]


def test_a_source_reads_alike_a_second_time(source):
    assert source.reader().read_all().equals(source.reader().read_all())


@pytest.mark.parametrize("kind", plugins.names(SOURCES))
def test_a_file_that_is_not_of_the_format_is_invalid_input(kind, tmp_path):
    (tmp_path / "x").write_bytes(b"\x00\xff\xfe garbage \x80")
    with pytest.raises(InvalidInput, match="x"):
        plugins.load(SOURCES, kind).open_source(tmp_path / "x", SourceOptions("x")).reader().read_all()


@pytest.mark.parametrize("kind", plugins.names(SOURCES))
def test_a_kind_is_found_by_its_suffixes(kind):
    for suffix in plugins.load(SOURCES, kind).SUFFIXES:
        assert format_of(f"some/FILE{suffix.upper()}", None) == kind


def test_a_truncated_parquet_file_is_said(tmp_path):
    place = write("parquet", tmp_path / "x")
    place.write_bytes(place.read_bytes()[:-20])
    with pytest.raises(InvalidInput, match="wanted a Parquet file"):
        plugins.load(SOURCES, "parquet").open_source(place, SourceOptions("x"))


def test_a_parquet_column_of_a_kind_we_do_not_keep_is_named(tmp_path):
    pq.write_table(pa.table({"l": [[1]]}), tmp_path / "x")
    with pytest.raises(InvalidInput, match="column 'l' of x"):
        plugins.load(SOURCES, "parquet").open_source(tmp_path / "x", SourceOptions("x"))
