"""What every table engine must do, run over each one found."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.engines.tables import _parts
from mainspring.engines.tables.contract import Tables
from mainspring.kernel import plugins
from mainspring.kernel.errors import Corrupt, EngineUnavailable, InvalidInput, NotFound, SchemaMismatch

ROLE = "mainspring.engines.tables"
ROWS = pa.table(
    {
        "select": pa.array([3, 1, None]),
        'a "b" c': ["x", None, "é"],
        "at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
        "list": pa.array([["p"], [], None], pa.list_(pa.string())),
    }
)
MORE = ROWS.slice(0, 1)


@pytest.fixture(params=plugins.names(ROLE))
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    engine: Tables = plugins.load(ROLE, request.param).open_engine(tmp_path)
    return engine


def replace(tables: Tables, rows: pa.Table, table: str = "default/t"):
    return tables.replace(table, rows.to_reader(), commit_info={"why": "test"})


def append(tables: Tables, rows: pa.Table, table: str = "default/t"):
    return tables.append(table, rows.to_reader(), commit_info={})


def test_rows_come_back_as_they_were_written(tables):
    written = replace(tables, ROWS)
    assert tables.read("default/t", written.files).equals(ROWS.cast(tables.read("default/t", written.files).schema))
    assert tables.read("default/t", written.files).to_pylist() == ROWS.to_pylist()
    assert written.rows == 3


def test_columns_are_read_in_the_order_asked_for(tables):
    written = replace(tables, ROWS)
    assert tables.read("default/t", written.files, ["list", "select"]).column_names == ["list", "select"]


def test_an_unknown_column_is_named_with_those_there_are(tables):
    written = replace(tables, ROWS)
    with pytest.raises(NotFound, match="nope.*wanted one of select"):
        tables.read("default/t", written.files, ["nope"])


def test_every_version_keeps_its_own_files(tables):
    first, second = replace(tables, ROWS), append(tables, MORE)
    third = replace(tables, pa.table({"other": [1.5]}))
    assert first.version < second.version < third.version
    for version in (first, second, third):
        assert tables.files("default/t", version.version) == version.files
    assert tables.files("default/t") == third.files
    assert tables.read("default/t", second.files).to_pylist() == ROWS.to_pylist() + MORE.to_pylist()


def test_equal_rows_make_no_new_version_and_no_new_file(tables, tmp_path):
    first = replace(tables, ROWS)
    before = sorted(path.name for path in tmp_path.rglob("*.parquet"))
    again = replace(tables, ROWS)
    assert (again.version, again.files, again.added) == (first.version, first.files, ())
    assert sorted(path.name for path in tmp_path.rglob("*.parquet")) == before


def test_the_same_rows_may_stand_in_one_version_twice(tables):
    replace(tables, ROWS)
    twice = append(tables, ROWS)
    assert twice.rows == 6
    assert len({file.path for file in twice.files}) == 2
    assert tables.read("default/t", twice.files).to_pylist() == ROWS.to_pylist() * 2


def test_going_back_to_earlier_rows_works(tables):
    replace(tables, ROWS)
    replace(tables, MORE)
    back = replace(tables, ROWS)
    assert tables.read("default/t", back.files).to_pylist() == ROWS.to_pylist()
    assert tables.files("default/t") == back.files


def test_appending_nothing_makes_no_version(tables):
    first = replace(tables, ROWS)
    assert append(tables, ROWS.schema.empty_table()).version == first.version


def test_an_empty_table_has_columns_and_no_rows(tables):
    written = replace(tables, ROWS.schema.empty_table())
    assert written.files == ()
    assert tables.read("default/t", written.files).column_names == ROWS.column_names


def test_appending_other_columns_is_refused_and_changes_nothing(tables):
    first = replace(tables, ROWS)
    with pytest.raises(SchemaMismatch, match="wanted columns select"):
        append(tables, pa.table({"other": [1]}))
    assert tables.files("default/t") == first.files


def test_files_depend_on_the_rows_and_not_on_their_batches(tables):
    whole = replace(tables, ROWS, "default/whole")
    pieces = pa.RecordBatchReader.from_batches(
        ROWS.schema, [b for i in range(3) for b in ROWS.slice(i, 1).to_batches()]
    )
    assert tables.replace("default/pieces", pieces, commit_info={}).files == whole.files


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 900), min_size=1, max_size=8))
def test_long_streams_are_cut_into_the_same_files_however_they_come(tables, monkeypatch, sizes):
    monkeypatch.setattr(_parts, "rows_per_group", lambda schema: 100)
    total = sum(sizes)
    rows = pa.table({"n": pa.array(range(total), pa.int64())})
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    batches = [b for start, size in zip(starts, sizes, strict=True) for b in rows.slice(start, size).to_batches()]
    pieces = pa.RecordBatchReader.from_batches(rows.schema, batches)
    one = tables.replace("default/one", rows.to_reader(), commit_info={})
    other = tables.replace("default/other", pieces, commit_info={})
    assert [f.sha256 for f in one.files] == [f.sha256 for f in other.files]
    assert [f.rows for f in one.files[:-1]] == [800] * (len(one.files) - 1)
    assert tables.read("default/one", one.files).column("n").to_pylist() == list(range(total))


def test_a_growing_table_shares_the_files_it_already_had(tables, monkeypatch):
    monkeypatch.setattr(_parts, "rows_per_group", lambda schema: 10)
    grown = pa.table({"n": list(range(300))})
    before, after = replace(tables, grown.slice(0, 240)), replace(tables, grown)
    assert before.files == after.files[:3]
    assert len(tables.files("default/t")) == 4
    assert tables.files("default/t", before.version) == before.files


def test_an_error_in_the_stream_leaves_nothing_behind(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(_parts, "rows_per_group", lambda schema: 10)
    first = replace(tables, pa.table({"n": [1]}))
    files = sorted(path.name for path in tmp_path.rglob("*.parquet"))

    def rows():
        yield from pa.table({"n": list(range(500))}).to_batches(max_chunksize=50)
        raise InvalidInput("row 501", wanted="sense", found="none")

    with pytest.raises(InvalidInput, match="row 501"):
        tables.replace(
            "default/t", pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), rows()), commit_info={}
        )
    assert tables.files("default/t") == first.files
    assert sorted(path.name for path in tmp_path.rglob("*.parquet")) == files


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "remove"])
def test_changed_bytes_are_never_returned(tables, harm):
    written = replace(tables, ROWS)
    path = tables.paths("default/t", written.files)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes({"flip": bytes(data), "cut": bytes(data[:-7]), "empty": b""}[harm])
    with pytest.raises(Corrupt, match=path.name):
        tables.read("default/t", written.files)


def test_a_missing_file_is_named_when_paths_are_asked_for(tables):
    written = replace(tables, ROWS)
    tables.paths("default/t", written.files)[0].unlink()
    with pytest.raises(Corrupt, match="no file"):
        tables.paths("default/t", written.files)


def test_an_unknown_table_or_version_is_not_found(tables):
    with pytest.raises(NotFound):
        tables.files("default/none")
    replace(tables, ROWS)
    with pytest.raises(NotFound):
        tables.files("default/t", 99)


@pytest.mark.parametrize("name", ["", "..", "a/../b", "/etc", "a//b", "a b", "a/", ".hidden", "x" * 600])
def test_names_that_are_no_tables_are_refused(tables, name):
    with pytest.raises(InvalidInput, match="table name"):
        tables.files(name)


def test_names_that_differ_only_in_case_are_refused(tables):
    with pytest.raises(InvalidInput, match="'Temp' and 'temp'"):
        replace(tables, pa.table({"Temp": [1], "temp": [2]}))


def test_columns_a_table_cannot_hold_are_refused(tables):
    with pytest.raises(InvalidInput, match="columns that Delta can hold"):
        replace(tables, pa.table({"d": pa.array([timedelta(1)])}))


def test_prune_frees_what_nobody_refers_to_and_nothing_else(tables):
    first, second, third = replace(tables, ROWS), replace(tables, MORE), replace(tables, pa.table({"z": [1]}))
    assert tables.prune("default/t", keep=first.files) == 0  # too young
    freed = tables.prune("default/t", keep=first.files, older_than=timedelta(0))
    assert freed == sum(file.size_bytes for file in second.files)
    assert tables.read("default/t", first.files).num_rows == 3
    assert tables.read("default/t", third.files).num_rows == 1
    with pytest.raises(Corrupt):
        tables.read("default/t", second.files)
    assert tables.files("default/t", second.version) == second.files


def test_the_log_never_expires(tables, tmp_path):
    first = replace(tables, ROWS)
    for number in range(25):
        replace(tables, pa.table({"n": [number]}))
    assert tables.files("default/t", first.version) == first.files
    logs = list((tmp_path / "tables" / "default" / "t" / "_delta_log").glob("*.json"))
    assert len(logs) == 27


def test_other_readers_of_the_format_see_the_same_rows(tables, tmp_path):
    from deltalake import DeltaTable

    replace(tables, ROWS.select(["select", 'a "b" c']))
    append(tables, ROWS.select(["select", 'a "b" c']))
    delta = DeltaTable(tmp_path / "tables" / "default" / "t")
    assert pq.ParquetDataset(sorted(uri.removeprefix("file://") for uri in delta.file_uris())).read().num_rows == 6
    assert [field.name for field in delta.schema().fields] == ["select", 'a "b" c']


def test_writers_to_one_table_take_turns(tables):
    numbers = range(8)
    threads = [threading.Thread(target=append, args=(tables, pa.table({"n": [n] * 10}))) for n in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = tables.read("default/t", tables.files("default/t")).column("n").to_pylist()
    assert sorted(rows) == sorted([n for n in numbers for _ in range(10)])


def test_what_a_killed_writer_left_is_cleared_away_and_never_read(tables, tmp_path):
    first = replace(tables, ROWS)
    left = tmp_path / "tables" / "default" / "t" / f"{_parts.INCOMING}x.parquet"
    left.write_bytes(b"half")
    assert tables.files("default/t") == first.files
    replace(tables, MORE)
    assert not left.exists()


def test_a_folder_that_cannot_be_written_is_named(tables, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "default").write_text("a file where a folder should be")
    with pytest.raises(EngineUnavailable, match=str(tmp_path)):
        replace(tables, ROWS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_and_leaves_the_version_before(tables, tmp_path, monkeypatch):
    """A small file system needs a mount, which a test may not make; /dev/full answers as a full one does."""
    first = replace(tables, pa.table({"n": [1]}))
    original = Path.open

    def full(self, mode="r", *args, **kwargs):
        if self.name.startswith(_parts.INCOMING) and "w" in mode:
            return original(Path("/dev/full"), mode, *args, **kwargs)
        return original(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(EngineUnavailable, match="no space left on device") as raised:
        replace(tables, pa.table({"n": list(range(1000))}))
    assert str(tmp_path) in str(raised.value)
    monkeypatch.undo()
    assert tables.files("default/t") == first.files
    assert tables.read("default/t", first.files).num_rows == 1


def test_the_reason_for_a_commit_stands_in_the_log(tables, tmp_path):
    written = replace(tables, ROWS)
    log = tmp_path / "tables" / "default" / "t" / "_delta_log" / f"{written.version:020d}.json"
    assert json.loads(log.read_text().splitlines()[0])["commitInfo"]["why"] == "test"
