"""What every query engine must do, run over each one found."""

import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.engines.query.contract import Query, identifier, literal
from mainspring.kernel import plugins
from mainspring.kernel.errors import Corrupt, InvalidInput, MainspringError, NotFound

ROLE = "mainspring.engines.query"
N = pa.table({"n": list(range(1000))})


@pytest.fixture(params=plugins.names(ROLE), scope="module")
def query(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Query:
    engine: Query = plugins.load(ROLE, request.param).open_engine(tmp_path_factory.mktemp("home"))
    return engine


@pytest.fixture
def inside(query) -> Path:
    """The folder the engine was opened in."""
    home: Path = query._home
    return home


def test_a_table_and_a_stream_are_inputs(query):
    sql = "SELECT t.n, s.n AS m FROM t JOIN s ON t.n = s.n + 1 ORDER BY t.n"
    assert query.table(sql, {"t": N, "s": N.to_reader()}).slice(0, 2).to_pylist() == [
        {"n": 1, "m": 0},
        {"n": 2, "m": 1},
    ]


def test_parquet_files_are_read_in_the_order_given(query, inside):
    paths = [inside / f"{i}.parquet" for i in (2, 1, 3)]
    for i, path in enumerate(paths):
        pq.write_table(pa.table({"n": list(range(i * 10_000, (i + 1) * 10_000))}), path)
    assert query.table("SELECT * FROM rows", {"rows": paths}).column("n").to_pylist() == list(range(30_000))


def test_rows_keep_the_order_of_a_stream(query):
    rows = pa.table({"n": list(range(300_000))})
    pieces = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=7_001))
    with query.stream("SELECT n + 1 AS n FROM rows WHERE n % 3 <> 0", {"rows": pieces}) as result:
        found = result.read_all().column("n").to_pylist()
    assert found == [n + 1 for n in range(300_000) if n % 3]


def test_results_are_streamed_and_not_gathered_first(query):
    taken = []

    def rows():
        for i in range(200):
            taken.append(i)
            yield pa.record_batch({"n": list(range(i * 20_000, (i + 1) * 20_000))})

    source = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), rows())
    with query.stream("SELECT n FROM rows", {"rows": source}, batch_rows=20_000) as result:
        next(iter(result))
        assert len(taken) < 50


def test_a_stream_may_be_left_early_and_the_engine_goes_on(query):
    with query.stream("SELECT n FROM rows", {"rows": N.to_reader()}, batch_rows=10) as result:
        next(iter(result))
    assert query.table("SELECT count(*) AS n FROM rows", {"rows": N}).to_pylist() == [{"n": 1000}]


def test_what_a_source_raises_leaves_as_it_was_raised(query):
    def rows():
        yield pa.record_batch({"n": [1]})
        raise NotFound("line 2", wanted="a line", found="none")

    source = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), rows())
    with pytest.raises(NotFound, match="line 2"):
        query.table("SELECT * FROM rows", {"rows": source})


def test_wrong_sql_is_invalid_input(query):
    with pytest.raises(InvalidInput):
        query.table("SELEC 1", {})


def test_a_broken_file_is_corrupt(query, inside):
    (inside / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(Corrupt):
        query.table("SELECT * FROM rows", {"rows": [inside / "broken.parquet"]})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '/tmp/mainspring-other.db'",
        "COPY (SELECT 1) TO '/tmp/mainspring-copy.csv'",
        "SET enable_external_access = true",
        "SET threads = 99",
        "SELECT * FROM N",
    ],
)
def test_nothing_outside_the_inputs_can_be_reached(query, sql):
    with pytest.raises(MainspringError):
        query.table(sql, {})


def test_one_query_sees_no_input_of_another(query, inside):
    pq.write_table(N, inside / "n.parquet")
    query.table("SELECT 1 AS one FROM mine, ours", {"mine": N, "ours": [inside / "n.parquet"]})
    for name in ("mine", "ours"):
        with pytest.raises(InvalidInput):
            query.table(f"SELECT * FROM {name}", {})


def test_times_are_utc_whatever_the_machine_says(query):
    found = query.table("SELECT TRY_CAST('2026-07-01 12:00:00' AS TIMESTAMPTZ) AS at", {})
    assert found.schema.field("at").type == pa.timestamp("us", "UTC")
    assert found.column("at")[0].as_py() == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_threads_may_ask_at_once(query):
    found: list[int] = []

    def ask(k: int) -> None:
        rows = pa.table({"n": [k] * 1000})
        found.append(query.table("SELECT sum(n)::BIGINT AS n FROM rows", {"rows": rows}).to_pylist()[0]["n"])

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [k * 1000 for k in range(16)]


@given(name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_can_be_an_identifier(query, name):
    found = query.table(f"SELECT 1 AS {identifier(name)}", {})
    assert found.column_names == [name]


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.dates(date(1, 1, 1), date(9999, 12, 31)),
    st.datetimes(timezones=st.just(UTC)),
)


@given(value=values)
def test_any_value_can_be_a_literal(query, value):
    assert query.table(f"SELECT {literal(value)} AS x", {}).column("x")[0].as_py() == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "a\0b", b"bytes"])
def test_what_has_no_literal_is_refused(value):
    with pytest.raises(InvalidInput):
        literal(value)
